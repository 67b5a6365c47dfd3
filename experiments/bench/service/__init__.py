"""The REST service measured as clients meet it: a process of its own, asked over HTTP."""

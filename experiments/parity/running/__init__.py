"""Frameworks at work: the rates that each of them uses, of exported code and of its own scheduler.

Every module named for a framework has `code(code, plan, steps)`, the rates of exported code, and `WAYS`, the
ways to step the framework's own scheduler, each a function `(plan, own, steps)`. The steps are in order and
begin with 0; where some are left out, a scheduler that can only be stepped is placed before the next one, in
the state that it has there. `measure` says how far they are from the schedule.
"""

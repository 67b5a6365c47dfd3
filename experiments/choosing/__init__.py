"""What T_0 and T_mult are worth, measured: the tables of docs/choosing.md."""

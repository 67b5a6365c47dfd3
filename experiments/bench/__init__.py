"""Side-by-side measurements: whole searches beside other tools, the engine's steady state, single rates."""

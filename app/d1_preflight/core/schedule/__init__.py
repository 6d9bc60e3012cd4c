"""When to apply: clocks, busy hours, traffic."""

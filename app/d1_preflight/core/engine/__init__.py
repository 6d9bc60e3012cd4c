"""D1's engine in memory: what it accepts, and what each statement does."""

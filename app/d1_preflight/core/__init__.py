"""Pure values and rules: no process, no network, no clock, no screen."""

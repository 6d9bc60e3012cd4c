"""What no remedy is written for, and why."""

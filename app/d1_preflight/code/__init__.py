"""The SQL in a Worker's source: found, prepared on two schemas, and what that says of the order."""

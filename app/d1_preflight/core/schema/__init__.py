"""A database schema as values: tables, their order, and how two schemas differ."""

"""What a migration does to tables, columns and rows, worked out from its trace."""

"""Rules about tables, columns and what a rebuild forgets."""

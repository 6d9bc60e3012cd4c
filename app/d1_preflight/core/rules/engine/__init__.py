"""Rules about what D1's engine refuses or does otherwise than SQLite."""

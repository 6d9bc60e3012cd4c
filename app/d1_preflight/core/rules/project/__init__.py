"""Rules about files, names and headers."""

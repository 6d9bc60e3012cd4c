"""Rows value for value: reading, comparing, and checking losses against what was predicted."""

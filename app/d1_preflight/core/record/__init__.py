"""The record of one migration: attempts, gate, review, and what is signed."""

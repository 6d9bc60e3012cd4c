"""Verifies a record: signatures, history, place, reviews."""

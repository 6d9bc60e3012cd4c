"""Remedies of statements as they stand: their ends, their ALTERs, triggers and indexes."""

"""Remedies of full-text indexes."""

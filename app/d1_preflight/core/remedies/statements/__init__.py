"""Remedies of where one statement ends and the next begins."""

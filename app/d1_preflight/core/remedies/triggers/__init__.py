"""Remedies of triggers that outlive what they name."""

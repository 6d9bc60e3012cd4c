"""Remedies: the author's file rewritten, finding by finding, and proved before it is offered."""

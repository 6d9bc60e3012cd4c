"""Signing and verifying with the operator's SSH keys."""

"""Rollback paths: down migration, restore and repair SQL, the emergency runbook."""

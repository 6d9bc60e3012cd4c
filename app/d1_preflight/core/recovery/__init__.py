"""The ways back: down migration, restore and repair SQL, the emergency runbook."""

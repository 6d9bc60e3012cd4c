"""The checklist: its definition, its file and its minimum policy."""

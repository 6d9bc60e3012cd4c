"""New files: migrations written for a team's own tables, and one file split into several."""

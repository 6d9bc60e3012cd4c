"""git, asked through one door that runs nothing of the repository."""

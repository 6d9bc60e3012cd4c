"""The linter's rules: each a small function over one migration's analysis."""

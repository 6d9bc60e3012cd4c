"""TOML read strictly, each refusal at its line, and written in few lines."""

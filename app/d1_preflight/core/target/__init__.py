"""The target: the API that reaches it, its snapshot, wrangler's output."""

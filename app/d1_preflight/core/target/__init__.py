"""What the target answers: the API it is reached by, its snapshot, wrangler's output."""

"""The summary of a record: what a reviewer reads first, in at most forty lines."""

"""The real wrangler: finding it, running it, and keeping what it said."""

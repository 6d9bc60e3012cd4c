"""The real wrangler: finding it, running it, and keeping its output."""

"""An embedded stand-in for Cloudflare and a sample project, for `preflight practice`."""

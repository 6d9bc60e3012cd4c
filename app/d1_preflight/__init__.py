"""d1-preflight walks one Cloudflare D1 migration through its pre-flight checklist."""

__version__ = "0.1.0"

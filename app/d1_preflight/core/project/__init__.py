"""The wrangler project: configuration, migrations, settings."""

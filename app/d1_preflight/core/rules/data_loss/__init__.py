"""Rules about rows and values that go."""

"""The plain face: one question after another, for SSH, screen readers and terminals of any kind."""

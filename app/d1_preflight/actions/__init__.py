"""What the steps of the checklist do: one module per section."""

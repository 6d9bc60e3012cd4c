"""How SQL text is read: split, tokens, statements, queries."""

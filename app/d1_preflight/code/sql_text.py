"""Tells whether a text of the source is SQL, by the word with which it begins."""

import re

from d1_preflight.code.expression import Expression, Text, within

_VERB = re.compile(
    r"[\s(]*(?:--[^\n]*\n\s*)*(?:SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH|CREATE|ALTER|DROP|VALUES"
    r"|PRAGMA|EXPLAIN)\b",
    re.IGNORECASE,
)


def begins_like_sql(text: str) -> bool:
    """Whether a text begins with a word that begins a statement."""
    return _VERB.match(text) is not None


def holds_sql(found: Expression) -> bool:
    """Whether any text of an expression begins so."""
    return any(begins_like_sql(part.text) for part in within(found) if isinstance(part, Text))

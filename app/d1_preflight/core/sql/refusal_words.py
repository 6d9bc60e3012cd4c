"""What may be kept of SQLite's reason for a refusal: names, never a value of a row.

A trigger's RAISE, a JSON path and a MATCH expression are made of rows; SQLite quotes them.
"""

import re

_NAME = r"[\w$]+(?:\.[\w$ ]+)?"
_KNOWN = re.compile(
    rf"(?:(?:UNIQUE|NOT NULL|PRIMARY KEY) constraint failed: {_NAME}(?:, {_NAME})*"
    r"|UNIQUE constraint failed: index '[^']*'"
    r"|CHECK constraint failed: [\w$]+|FOREIGN KEY constraint failed|constraint failed"
    rf"|cannot store \w+ value in \w+ column {_NAME}|datatype mismatch"
    r"|(?:non-)?\w+ constraint failed)(?=$|:? SQLITE_| \[code)"
)
_CHECK = re.compile(r"CHECK constraint failed: ")
_QUOTING = re.compile(
    r"(?i)(bad JSON path|JSON path error near|fts5: [^:]*near|malformed MATCH expression"
    r"|unknown special query|unable to use function MATCH)"
)
_UNKEPT = "the message is not kept, because it may quote a row"


def constraint_words(told: str) -> str:
    """What a failed constraint or a RAISE may say of itself."""
    if found := _KNOWN.match(told):
        return found[0]
    if _CHECK.match(told):  # without a name SQLite tells the expression
        return "CHECK constraint failed"
    return f"a constraint or a trigger refuses a row ({_UNKEPT})"


def error_words(told: str) -> str:
    """What any other error may say: all of it, unless it quotes what a row holds."""
    found = _QUOTING.match(told)
    return f"{found[0]} … ({_UNKEPT})" if found else told

"""Reads and rewrites pieces of a CREATE statement: one column's definition, a mentioned name."""

from collections.abc import Iterator

from d1_preflight.core.sql.tokenizer import Token, TokenKind, tokens

NAMES = (TokenKind.WORD, TokenKind.NAME, TokenKind.STRING)
"""The kinds of token that can name something; SQLite takes a string for a name where it must."""


def column_definition(sql: str, column: str) -> str:
    """The text of one column's definition in a CREATE TABLE; "" where it is not found."""
    for part in definitions(tokens(sql, limit=len(sql))):
        if part and part[0].name.lower() == column.lower() and part[0].kind in NAMES:
            return sql[part[0].start : part[-1].start + len(part[-1].text)]
    return ""


def addable(definition: str) -> tuple[str, bool]:
    """The definition as ADD COLUMN takes it over existing rows, and whether NOT NULL had to go.

    "" where D1 would refuse it however it is written.
    """
    found = tokens(definition)
    words = [token.word for token in found]
    default = words.index("DEFAULT") if "DEFAULT" in words else None
    if {"PRIMARY", "UNIQUE", "STORED"} & set(words):
        return "", False
    if default is not None:
        first = found[default + 1]
        constant = first.text != "(" and not first.word.startswith("CURRENT_")
        if not constant or ("REFERENCES" in words and first.word != "NULL"):
            return "", False
    needed = [n for n in range(len(words) - 1) if words[n : n + 2] == ["NOT", "NULL"]]
    if default is None and needed and "GENERATED" not in words and "AS" not in words:
        start, last = found[needed[0]], found[needed[0] + 1]
        text = definition[: start.start] + definition[last.start + len(last.text) :]
        return " ".join(text.split()), True
    return definition, False


def mentions(sql: str, table: str) -> bool:
    """Whether a statement names the table anywhere (a column of that name counts too)."""
    return any(
        token.kind in NAMES and token.name.lower() == table.lower()
        for token in tokens(sql, limit=len(sql))
    )


def definitions(found: tuple[Token, ...]) -> Iterator[list[Token]]:
    """The parts between the outer parentheses of a CREATE TABLE: columns and constraints."""
    depth, part = 0, list[Token]()
    for token in found:
        depth -= token.text == ")"
        if (depth == 1 and token.text == ",") or (depth == 0 and token.text == ")"):
            yield part
            part = []
            if depth == 0:
                return
        elif depth:
            part.append(token)
        depth += token.text == "("

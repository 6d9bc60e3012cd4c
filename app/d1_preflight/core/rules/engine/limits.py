"""Limits that a statement meets only at run time, or only on the remote side."""

from collections.abc import Iterator

from d1_preflight.core import d1
from d1_preflight.core.rules.context import Case, Find, Hit, at
from d1_preflight.core.sql.tokenizer import Token, TokenKind, unquote


def like_pattern_too_long(case: Case) -> Iterator[Hit]:
    """A LIKE or GLOB pattern of more than 50 bytes: fails once a row is tested."""
    for act in case.done:
        found = act.phrase.tokens
        for n, token in enumerate(found[:-1]):
            pattern = found[n + 1]
            if token.word in ("LIKE", "GLOB") and pattern.kind is TokenKind.STRING:
                size = len(unquote(pattern.text).encode())
                if size > d1.PATTERN_BYTES:
                    yield at(act, pattern, size=str(size))


def function_arguments_remote(case: Case) -> Iterator[Hit]:
    """A function call with more than 32 arguments: accepted locally, refused remotely."""
    for act in case.done:
        for token, count in _calls(act.phrase.tokens):
            if count > d1.REMOTE_ARGUMENTS and token.text.lower() in act.heard.functions:
                yield at(act, token, function=token.text, count=str(count))


def row_too_large_remote(case: Case) -> Iterator[Hit]:
    """A value of more than 2 MB: local D1 stores it, remote D1 refuses it."""
    for act in case.done:
        found = act.phrase.tokens
        for n, token in enumerate(found[:-2]):
            size = found[n + 2].text
            makes = token.word in ("ZEROBLOB", "RANDOMBLOB") and found[n + 1].text == "("
            if makes and size.isdecimal() and int(size) > d1.REMOTE_ROW_BYTES:
                yield at(act, token, size=f"{int(size):,}")


def statement_nearly_too_long(case: Case) -> Iterator[Hit]:
    """A statement of more than nine tenths of the limit: one more row and it fails."""
    for act in case.done:
        size = len(act.statement.text)
        if size > d1.STATEMENT_BYTES * 9 // 10:
            size = len(act.statement.text.encode("utf-8", "replace"))
            yield at(act, size=f"{size:,}")


def table_nearly_too_wide(case: Case) -> Iterator[Hit]:
    """A table with more than nine tenths of the allowed columns."""
    for name, table in case.new.tables.items():
        width = len(table.columns)
        if width > d1.COLUMNS * 9 // 10 and case.old.tables.get(name) is not table:
            for act in case.done:
                if act.target.lower() == name:
                    yield at(act, table=table.name, count=str(width))
                    break


RULES: tuple[Find, ...] = (
    like_pattern_too_long,
    function_arguments_remote,
    row_too_large_remote,
    statement_nearly_too_long,
    table_nearly_too_wide,
)


def _calls(found: tuple[Token, ...]) -> Iterator[tuple[Token, int]]:
    """Every word before an opening parenthesis, with the number of parts inside."""
    open_calls: list[list[int]] = []
    for n, token in enumerate(found):
        if token.text == "(":
            open_calls.append([n - 1, 1])
        elif token.text == "," and open_calls:
            open_calls[-1][1] += 1
        elif token.text == ")" and open_calls:
            name, count = open_calls.pop()
            if name >= 0 and found[name].kind is TokenKind.WORD:
                yield found[name], count

"""Limits that a statement meets only at run time, or only on the remote side."""

from collections.abc import Iterator

from d1_preflight.core import d1
from d1_preflight.core.format import count
from d1_preflight.core.rules.context import Match, Rule, RuleContext, match_at
from d1_preflight.core.sql.tokenizer import Token, TokenKind, unquote


def like_pattern_too_long(context: RuleContext) -> Iterator[Match]:
    """A LIKE or GLOB pattern of more than 50 bytes: fails once a row is tested."""
    for trace in context.done:
        found = trace.parsed.tokens
        for n, token in enumerate(found[:-1]):
            pattern = found[n + 1]
            if token.word in ("LIKE", "GLOB") and pattern.kind is TokenKind.STRING:
                size = len(unquote(pattern.text).encode())
                if size > d1.PATTERN_BYTES:
                    yield match_at(trace, pattern, size=str(size))


def function_arguments_remote(context: RuleContext) -> Iterator[Match]:
    """A function call with more than 32 arguments: accepted locally, refused remotely."""
    for trace in context.done:
        for token, arguments in _calls(trace.parsed.tokens):
            if arguments > d1.REMOTE_ARGUMENTS and token.text.lower() in trace.access.functions:
                yield match_at(trace, token, function=token.text, count=str(arguments))


def row_too_large_remote(context: RuleContext) -> Iterator[Match]:
    """A value of more than 2 MB: local D1 stores it, remote D1 refuses it."""
    for trace in context.done:
        found = trace.parsed.tokens
        for n, token in enumerate(found[:-2]):
            size = found[n + 2].text
            makes = token.word in ("ZEROBLOB", "RANDOMBLOB") and found[n + 1].text == "("
            if makes and size.isdecimal() and int(size) > d1.REMOTE_ROW_BYTES:
                yield match_at(trace, token, size=count(int(size)))


def statement_nearly_too_long(context: RuleContext) -> Iterator[Match]:
    """A statement of more than nine tenths of the limit: one more row and it fails."""
    for trace in context.done:
        size = len(trace.statement.text)
        if size > d1.STATEMENT_BYTES * 9 // 10:
            size = len(trace.statement.text.encode("utf-8", "replace"))
            yield match_at(trace, size=count(size))


def table_nearly_too_wide(context: RuleContext) -> Iterator[Match]:
    """A table with more than nine tenths of the allowed columns."""
    for name, table in context.new.tables.items():
        width = len(table.columns)
        if width > d1.COLUMNS * 9 // 10 and context.old.tables.get(name) is not table:
            for trace in context.done:
                if trace.target.lower() == name:
                    yield match_at(trace, table=table.name, count=str(width))
                    break


RULES: tuple[Rule, ...] = (
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

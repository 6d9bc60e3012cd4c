"""What is green here and can be red there: the remote splitter, CPU time, one query a file."""

from collections.abc import Iterator

from d1_preflight.core.engine.trace import StatementTrace
from d1_preflight.core.format import count
from d1_preflight.core.rules.context import (
    Match,
    Rule,
    RuleContext,
    match_at,
    match_file,
    match_target,
    word_token,
)
from d1_preflight.core.sql.tokenizer import Token

_MANY = 1_000
_LARGE = 1_000_000


def trigger_remote(context: RuleContext) -> Iterator[Match]:
    """A trigger in a file that `migrations apply --remote` sends: another splitter reads it."""
    for trace in context.statements_of("CREATE TRIGGER"):
        yield match_target(trace, trigger=trace.target)


def trigger_lower_case_begin(context: RuleContext) -> Iterator[Match]:
    """A trigger body whose `begin` is not in capitals: the remote splitter cuts it."""
    for trace in context.statements_of("CREATE TRIGGER"):
        token = word_token(trace, "BEGIN")
        if token and token.text != "BEGIN":
            yield match_at(trace, token, trigger=trace.target, written=token.text)


def trigger_crlf(context: RuleContext) -> Iterator[Match]:
    """A trigger written with CRLF line ends."""
    for trace in context.statements_of("CREATE TRIGGER"):
        if "\r\n" in trace.statement.body:
            yield match_target(trace, trigger=trace.target)


def trigger_case_end(context: RuleContext) -> Iterator[Match]:
    """A trigger body with CASE … END, whose END can be taken for the trigger's."""
    for trace in context.statements_of("CREATE TRIGGER"):
        token = word_token(trace, "CASE")
        if token:
            yield match_at(trace, token, trigger=trace.target)


def correlated_backfill(context: RuleContext) -> Iterator[Match]:
    """An UPDATE that looks something up for every row: remote CPU time is limited."""
    for trace in context.statements_of("UPDATE"):
        token = _lookup(trace)
        others = {t for t, _ in trace.access.reads if t.lower() != trace.target.lower()}
        if token and others and context.old.table(trace.target):
            yield match_at(trace, token, table=trace.target, other=min(others))


def large_file(context: RuleContext) -> Iterator[Match]:
    """A file that is one long query remotely: 30 seconds are all it gets."""
    many, size = context.script.count, len(context.text)
    if many > _MANY or size > _LARGE:
        yield match_file(count=count(many), size=count(size))


def index_on_rows(context: RuleContext) -> Iterator[Match]:
    """A UNIQUE index over rows that are there: it fails if two of them agree."""
    for trace in context.statements_of("CREATE INDEX"):
        index = context.new.indexes.get(trace.target.lower())
        old = context.old.table(index.table) if index else None
        fresh = trace.target.lower() not in context.old.indexes
        if index and old and fresh and word_token(trace, "UNIQUE"):
            yield match_at(
                trace, word_token(trace, "UNIQUE"), table=index.table, index=trace.target
            )


RULES: tuple[Rule, ...] = (
    trigger_remote,
    trigger_lower_case_begin,
    trigger_crlf,
    trigger_case_end,
    correlated_backfill,
    large_file,
    index_on_rows,
)


def _lookup(trace: StatementTrace) -> Token | None:
    """The first SELECT inside the SET part of an UPDATE."""
    depth, seen_set = 0, False
    for token in trace.parsed.tokens:
        depth += (token.text == "(") - (token.text == ")")
        seen_set = seen_set or token.word == "SET"
        if depth == 0 and token.word == "WHERE":
            return None
        if seen_set and depth and token.word == "SELECT":
            return token
    return None

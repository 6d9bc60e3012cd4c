"""What is green here and can be red there: the remote splitter, CPU time, one query a file."""

from collections.abc import Iterator

from d1_preflight.core.engine.trace import Act
from d1_preflight.core.rules.context import Case, Find, Hit, at, at_file, target_token, word_token
from d1_preflight.core.sql.tokenizer import Token

_MANY = 1_000
_LARGE = 1_000_000


def trigger_remote(case: Case) -> Iterator[Hit]:
    """A trigger in a file that `migrations apply --remote` sends: another splitter reads it."""
    for act in case.acts_of("CREATE TRIGGER"):
        yield at(act, target_token(act), trigger=act.target)


def trigger_lower_case_begin(case: Case) -> Iterator[Hit]:
    """A trigger body whose `begin` is not in capitals: the remote splitter cuts it."""
    for act in case.acts_of("CREATE TRIGGER"):
        token = word_token(act, "BEGIN")
        if token and token.text != "BEGIN":
            yield at(act, token, trigger=act.target, written=token.text)


def trigger_crlf(case: Case) -> Iterator[Hit]:
    """A trigger written with CRLF line ends."""
    for act in case.acts_of("CREATE TRIGGER"):
        if "\r\n" in act.statement.body:
            yield at(act, target_token(act), trigger=act.target)


def trigger_case_end(case: Case) -> Iterator[Hit]:
    """A trigger body with CASE … END, whose END can be taken for the trigger's."""
    for act in case.acts_of("CREATE TRIGGER"):
        token = word_token(act, "CASE")
        if token:
            yield at(act, token, trigger=act.target)


def correlated_backfill(case: Case) -> Iterator[Hit]:
    """An UPDATE that looks something up for every row: remote CPU time is limited."""
    for act in case.acts_of("UPDATE"):
        token = _lookup(act)
        others = {t for t, _ in act.heard.reads if t.lower() != act.target.lower()}
        if token and others and case.old.table(act.target):
            yield at(act, token, table=act.target, other=min(others))


def large_file(case: Case) -> Iterator[Hit]:
    """A file that is one long query remotely: 30 seconds are all it gets."""
    count, size = case.run.count, len(case.text)
    if count > _MANY or size > _LARGE:
        yield at_file(count=f"{count:,}", size=f"{size:,}")


def index_on_rows(case: Case) -> Iterator[Hit]:
    """A UNIQUE index over rows that are there: it fails if two of them agree."""
    for act in case.acts_of("CREATE INDEX"):
        index = case.new.indexes.get(act.target.lower())
        old = case.old.table(index.table) if index else None
        fresh = act.target.lower() not in case.old.indexes
        if index and old and fresh and word_token(act, "UNIQUE"):
            yield at(act, word_token(act, "UNIQUE"), table=index.table, index=act.target)


RULES: tuple[Find, ...] = (
    trigger_remote,
    trigger_lower_case_begin,
    trigger_crlf,
    trigger_case_end,
    correlated_backfill,
    large_file,
    index_on_rows,
)


def _lookup(act: Act) -> Token | None:
    """The first SELECT inside the SET part of an UPDATE."""
    depth, seen_set = 0, False
    for token in act.phrase.tokens:
        depth += (token.text == "(") - (token.text == ")")
        seen_set = seen_set or token.word == "SET"
        if depth == 0 and token.word == "WHERE":
            return None
        if seen_set and depth and token.word == "SELECT":
            return token
    return None

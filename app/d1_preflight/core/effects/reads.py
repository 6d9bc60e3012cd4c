"""Which tables a script only reads: their rows decide what it writes into others."""

from collections.abc import Callable, Iterator

from d1_preflight.core.engine.trace import ScriptTrace, StatementTrace

_WRITES_ROWS = frozenset({"INSERT", "UPDATE", "DELETE", "CREATE TABLE"})
_AS_WRITTEN = (("\0", "\0"), *((mark, mark * 2) for mark in "\"'`"))
"""How a name stands in SQL: as it is, or with the quote that it is written in doubled."""

Origin = Callable[[StatementTrace, str], str | None]
"""A table's name before the script, by its name at a statement; None where the script makes it."""


def tables_read(script: ScriptTrace, origin: Origin) -> Iterator[str]:
    """The pre-existing tables that its queries read, each once."""
    seen = set[str]()
    for trace in script.statements:
        if trace.error or trace.verb not in _WRITES_ROWS:
            continue
        for table in sorted({table for table, _ in trace.access.reads}):
            found = origin(trace, table)
            if found and found not in seen and _is_named(script, trace, table):
                seen.add(found)
                yield found


def _is_named(script: ScriptTrace, trace: StatementTrace, table: str) -> bool:
    """Whether a query names it; else SQLite reads it to check a foreign key, or refuses."""
    names = {table.lower().replace(mark, written) for mark, written in _AS_WRITTEN}
    return any(
        text is None or any(name in text.lower() for name in names)
        for text in _texts(script, trace)
    )


def _texts(script: ScriptTrace, trace: StatementTrace) -> Iterator[str | None]:
    """The statement and the triggers and views through which it reads; None for one not known."""
    yield trace.statement.text
    for through in trace.access.fired:
        lower, sides = through.lower(), (script.old, script.new)
        found = [side.triggers.get(lower) or side.views.get(lower) for side in sides]
        yield None if found == [None, None] else " ".join(one.sql for one in found if one)

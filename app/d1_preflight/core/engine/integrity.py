"""What a script leaves broken: tables no write can be prepared for, views that cannot be read."""

from collections.abc import Iterator

import apsw

from d1_preflight.core.engine.trace import StatementTrace
from d1_preflight.core.schema.schema import Structure
from d1_preflight.core.sql.tokenizer import quote_name

_BREAKING = frozenset(
    {"DROP TABLE", "DROP INDEX", "DROP VIEW", "ALTER TABLE RENAME", "ALTER TABLE RENAME COLUMN"}
    | {"ALTER TABLE DROP COLUMN"}
)
_MAKING = frozenset({"CREATE TABLE", "CREATE VIEW", "ALTER TABLE ADD COLUMN"})


def affected_objects(
    traces: tuple[StatementTrace, ...], old: Structure, new: Structure
) -> frozenset[str]:
    """The tables and views that a script may have broken: what it touched, and what names that."""
    done = tuple(trace for trace in traces if not trace.error)
    touched = {name for trace in done if trace.verb in _BREAKING for name in _named(trace, old)}
    made = {trace.target.lower() for trace in done if trace.verb in _MAKING}
    fresh = {name.lower() for trace in done for name in trace.made("trigger")}
    made |= {new.triggers[name].table.lower() for name in fresh & new.triggers.keys()}
    return frozenset(made | touched | _naming(touched, new)) if made or touched else frozenset()


def _named(trace: StatementTrace, old: Structure) -> Iterator[str]:
    yield trace.target.lower()
    yield trace.parsed.new_name.lower() or trace.target.lower()
    if trace.verb == "DROP INDEX" and trace.target.lower() in old.indexes:
        yield old.indexes[trace.target.lower()].table.lower()


def _naming(touched: set[str], new: Structure) -> set[str]:
    """The tables with keys or triggers, and the views, that name one of the touched ones."""
    found = {name for name, table in new.tables.items() if table.parents & touched}
    for kind in (new.triggers, new.views):
        for name, made in kind.items():
            text = made.sql.lower()
            if any(other in text for other in touched):
                found.add(made.table.lower() if made.kind == "trigger" else name)
    views = found & new.views.keys()
    return found | (_naming(views, new) if views - touched else set())


def unusable_objects(
    connection: apsw.Connection, found: Structure, scope: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Prepare a read of every view and a write of every table; nothing is executed."""
    for name, view in found.views.items():
        if name in scope:
            yield from _refused(connection, name, f"SELECT * FROM {quote_name(view.name)}")
    for name, table in found.tables.items():
        if table.is_virtual or name in found.inner or name not in scope:
            continue
        quoted = quote_name(table.name)
        column = quote_name(next((c.name for c in table.columns if not c.hidden), "rowid"))
        for write in (
            f"INSERT INTO {quoted} DEFAULT VALUES",
            f"DELETE FROM {quoted}",
            f"UPDATE {quoted} SET {column} = NULL",
        ):
            problem = tuple(_refused(connection, name, write))
            if problem:
                yield from problem
                break


def _refused(connection: apsw.Connection, name: str, sql: str) -> Iterator[tuple[str, str]]:
    try:
        connection.execute("EXPLAIN " + sql).close()
    except apsw.Error as error:
        yield name, str(error)

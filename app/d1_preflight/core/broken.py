"""What a script leaves broken: tables no write can be prepared for, views that cannot be read."""

from collections.abc import Iterator

import apsw

from d1_preflight.core.act import Act
from d1_preflight.core.schema import Structure
from d1_preflight.core.sql import quote_name

_BREAKING = frozenset(
    {"DROP TABLE", "DROP INDEX", "DROP VIEW", "ALTER TABLE RENAME", "ALTER TABLE RENAME COLUMN"}
    | {"ALTER TABLE DROP COLUMN"}
)


def scope_of(acts: tuple[Act, ...], new: Structure) -> frozenset[str]:
    """The tables and views that a script may have broken: all once it drops or renames."""
    done = tuple(act for act in acts if not act.error)
    if any(act.verb in _BREAKING for act in done):
        return frozenset([*new.tables, *new.views])
    made = {act.target.lower() for act in done if act.verb in ("CREATE TABLE", "CREATE VIEW")}
    made |= {act.target.lower() for act in done if act.verb == "ALTER TABLE ADD COLUMN"}
    fresh = {name.lower() for act in done for name in act.made("trigger")}
    return frozenset(made | {new.triggers[n].table.lower() for n in fresh & new.triggers.keys()})


def broken_in(
    connection: apsw.Connection, found: Structure, scope: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Prepare a read of every view and a write of every table; nothing is executed."""
    for name, view in found.views.items():
        if name in scope:
            yield from _refused(connection, name, f"SELECT * FROM {quote_name(view.name)}")
    for name, shape in found.tables.items():
        if shape.virtual or name in found.inner or name not in scope:
            continue
        quoted = quote_name(shape.name)
        column = quote_name(next((c.name for c in shape.columns if not c.hidden), "rowid"))
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

"""The indexes, views and triggers that a migration took, and whether they can be made again."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, suppress

import apsw

from d1_preflight.core.schema.schema import Change, Schema, SchemaObject, diff
from d1_preflight.core.sql.tokenizer import quote_name, tokens
from d1_preflight.lazy_dataclass import dataclass

_ORDER = ("index", "view", "trigger")  # a trigger may stand on a view


@dataclass(frozen=True, slots=True)
class LostObjects:
    """Objects to be made again, in this order; `missing` says which cannot be, and why."""

    made: tuple[SchemaObject, ...]
    missing: tuple[str, ...]


def lost_objects(
    before: Schema, after: Schema, definitions: Sequence[str], only: Collection[str] = ()
) -> LostObjects:
    """The objects of `before` that `after` lacks, each tried on the schema that is repaired.

    `definitions` bring the tables and columns back first; `only` names the tables meant, where
    any are. What is still there under its name but means something else is named, not replaced.
    """
    with closing(apsw.Connection(":memory:")) as connection:
        after.build(connection)
        for statement in definitions:
            with suppress(apsw.Error):  # whoever runs the script sees it; here it lacks a table
                connection.execute(statement)
        repaired = Schema.from_connection(connection)
        changes = [change for change in diff(before, repaired) if change.object in _ORDER]
        made, missing = list[SchemaObject](), list[str]()
        for found, change in _concerned(before, changes, only):
            if change.kind == "changed":
                missing.append(f"{found.kind} {found.name} is different now")
            elif problem := _problem(connection, found):
                missing.append(f"{found.kind} {found.name} cannot be created again: {problem}")
            else:
                made.append(found)
        return LostObjects(tuple(made), tuple(missing))


def _concerned(
    before: Schema, changes: Sequence[Change], only: Collection[str]
) -> Iterator[tuple[SchemaObject, Change]]:
    """What of `before` is gone or another one, in the order in which it can be made."""
    wanted = {(c.object, c.name.lower()): c for c in changes if c.kind in ("removed", "changed")}
    names = {name.lower() for name in only}
    for kind in _ORDER:
        for found in before.objects:
            change = wanted.get((kind, found.name.lower())) if found.kind == kind else None
            if change is not None and (not names or names & _tables(found)):
                yield found, change


def _tables(found: SchemaObject) -> set[str]:
    """The table that an index belongs to; of a view or a trigger, whatever its text names."""
    if found.kind == "index":
        return {found.table.lower()}
    return {token.name.lower() for token in tokens(found.sql, limit=len(found.sql))}


def _problem(connection: apsw.Connection, found: SchemaObject) -> str:
    """Why the object cannot be made, or not be read once it is there; "" where it can."""
    try:
        connection.execute(found.sql)
        if found.kind == "view":
            connection.execute(f"SELECT * FROM {quote_name(found.name)} LIMIT 0").fetchall()
    except apsw.Error as error:
        return str(error)
    return ""

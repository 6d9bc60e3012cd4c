"""Writes the SQL that gives a migrated database back what a backup holds and the migration took.

Two states lie on this machine: `before`, the restored backup, and `after`, the rehearsal. What the
one has and the other lacks is written out, by keys: tables that went, rows that went, columns that
went with their values, values that became others. What cannot be given back is named, never left
out in silence. Exact literals; each statement small enough for D1.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from d1_preflight.core.errors import ProjectError
from d1_preflight.core.recovery.repair_sql import GivenBack, Taken
from d1_preflight.core.recovery.restore_sql import INSERT_BYTES, dependency_order
from d1_preflight.core.rows.row_diff import attach_both
from d1_preflight.core.schema.schema import Schema
from d1_preflight.core.schema.table import read_tables


@dataclass(frozen=True, slots=True)
class GivingBack:
    """A file of SQL: what it gives back, table by table."""

    path: Path
    tables: tuple[GivenBack, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that does not come back by this file."""
        return tuple(f"{t.table}: {words}" for t in self.tables for words in t.problems)

    @property
    def rows(self) -> int:
        """The rows that are written or have values written into them."""
        return sum(t.rows + t.updated for t in self.tables)


def write_giving_back(
    path: Path,
    before: Path,
    after: Path,
    schema: Schema,
    *,
    rebuilt: Collection[str] = (),
    only: Collection[str] = (),
    limit: int = INSERT_BYTES,
) -> GivingBack:
    """Write the SQL for every table of `before` to a new private file.

    `schema` is the target's before the migration; `rebuilt` names tables whose rowids mean
    nothing; `only` these tables, where any are named.
    """
    connection = attach_both(before, after)
    try:
        news = {t.name.lower(): t for t in read_tables(connection, "after")}
        kept = {t.name: t for t in read_tables(connection, "before")}
        lower = {name.lower() for name in rebuilt}
        parts = [
            Taken(connection, schema, kept[name], news.get(name.lower()), lower, limit)
            for name in _parents_first(schema, kept)
            if not only or name in only
        ]
        _write(path, parts)
        return GivingBack(path, tuple(part.told() for part in parts))
    except apsw.Error as error:
        path.unlink(missing_ok=True)
        raise ProjectError(
            f"The rows that the migration loses cannot be identified: {error}.",
            hint="Restore with Time Travel; the backup itself is complete.",
        ) from error
    finally:
        connection.close()


def _parents_first(schema: Schema, names: Collection[str]) -> list[str]:
    ordered = [name for name in dependency_order(schema).tables if name in names]
    return ordered + [name for name in names if name not in ordered]


def _write(path: Path, parts: Sequence[Taken]) -> None:
    path.touch(mode=0o600, exist_ok=False)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("PRAGMA defer_foreign_keys = ON;\n")
        for make in (Taken.shape, Taken.insert, Taken.update, Taken.rest, Taken.number):
            for part in parts:
                file.writelines(f"{statement};\n" for statement in make(part))

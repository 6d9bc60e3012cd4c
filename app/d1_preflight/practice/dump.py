"""Writes a database as SQL in the form of `wrangler d1 export`: tables with rows, then the rest."""

from collections.abc import Collection, Iterator

from d1_preflight.core.errors import PreflightError
from d1_preflight.core.sql.tokenizer import quote_name
from d1_preflight.practice.engine import Database

_OBJECTS = (
    "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL"
    " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'"
    " ORDER BY rowid"
)
_VIRTUAL = "CREATE VIRTUAL TABLE"


class NotExportable(PreflightError):
    """D1 refuses to export a database with virtual tables."""


def dump(
    database: Database, *, tables: Collection[str] = (), schema: bool = True, data: bool = True
) -> Iterator[str]:
    """The statements, one after the other; `tables` empty means everything."""
    objects = [(str(kind), str(name), str(sql)) for kind, name, sql in database.rows(_OBJECTS)]
    if any(sql.upper().startswith(_VIRTUAL) for _, _, sql in objects):
        raise NotExportable("D1 Export error: cannot export databases with Virtual Tables (fts5)")
    yield "PRAGMA defer_foreign_keys=TRUE;\n"
    for kind, name, sql in objects:
        if kind == "table" and (not tables or name in tables):
            if schema:
                yield f"{sql};\n"
            if data:
                yield from _inserts(database, name)
    if data and not tables:
        yield from _sequence(database)
    if schema and not tables:
        for wanted in ("view", "trigger", "index"):
            yield from (f"{sql};\n" for kind, _, sql in objects if kind == wanted)


def _inserts(database: Database, table: str) -> Iterator[str]:
    stored = database.rows("SELECT name FROM pragma_table_xinfo(?1) WHERE hidden = 0", (table,))
    columns = [quote_name(str(row[0])) for row in stored]
    values = " || ',' || ".join(_literal(column) for column in columns)
    names = ",".join(columns)
    for row in database.rows(f"SELECT {values} FROM {quote_name(table)}"):
        yield f"INSERT INTO {quote_name(table)} ({names}) VALUES({row[0]!s});\n"


def _sequence(database: Database) -> Iterator[str]:
    known = database.rows("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'")
    if known:
        yield "DELETE FROM sqlite_sequence;\n"
        for row in database.rows("SELECT quote(name), seq FROM sqlite_sequence"):
            yield f"INSERT INTO sqlite_sequence VALUES({row[0]!s},{row[1]!s});\n"


def _literal(column: str) -> str:
    # quote() ends a text at a NUL character
    return (
        f"CASE WHEN typeof({column}) = 'text' AND instr({column}, char(0))"
        f" THEN 'CAST(X''' || hex({column}) || ''' AS TEXT)' ELSE quote({column}) END"
    )

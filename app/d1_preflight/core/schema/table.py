"""What SQLite itself says about the tables of a database: columns, keys, references, shadows.

A schema is never parsed here: it is built in an empty in-memory database and then asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import apsw

from d1_preflight.core.errors import ProjectError, RemoteFailed
from d1_preflight.core.schema.schema import Schema, SchemaObject
from d1_preflight.core.sql.tokenizer import tokens

_ROWID_NAMES = ("rowid", "_rowid_", "oid")
_STORED_HIDDEN = 0


class TableKind(StrEnum):
    """How a table holds its rows; a shadow is a table in which a virtual table keeps its own."""

    ORDINARY = "table"
    VIRTUAL = "virtual"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class Column:
    """One column as `PRAGMA table_xinfo` tells it; `key` is its place in the primary key, or 0."""

    name: str
    declared: str
    not_null: bool
    default: str | None
    key: int
    hidden: int

    @property
    def holds_data(self) -> bool:
        """Whether a value can be written to it: neither generated nor a virtual table's own."""
        return self.hidden == _STORED_HIDDEN


@dataclass(frozen=True, slots=True)
class Reference:
    """One foreign key of a table."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    on_delete: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table: what is needed to read it, to write it and to pair its rows."""

    name: str
    kind: TableKind
    without_rowid: bool
    columns: tuple[Column, ...]
    references: tuple[Reference, ...] = ()
    autoincrement: bool = False

    @property
    def data_columns(self) -> tuple[str, ...]:
        """The names of the columns that hold values of their own."""
        return tuple(c.name for c in self.columns if c.holds_data)

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The columns of the primary key in its order, () where there is none."""
        return tuple(c.name for c in sorted(self.columns, key=lambda c: c.key) if c.key)

    @property
    def rowid(self) -> str:
        """A name by which the rowid can be read and written, "" where there is none."""
        if self.without_rowid or self.kind is TableKind.VIRTUAL:
            return ""
        taken = {c.name.lower() for c in self.columns}
        return next((name for name in _ROWID_NAMES if name not in taken), "")

    @property
    def walk(self) -> tuple[str, ...]:
        """The columns by which the rows are read in order and in pages, () where none can."""
        if self.rowid:
            return (self.rowid,)
        return self.primary_key if self.without_rowid else ()


def quoted(name: str) -> str:
    """Write an identifier so that it can stand in SQL whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def read_tables(connection: apsw.Connection, database: str = "main") -> tuple[Table, ...]:
    """Ask an open database for its tables, by name; SQLite's and D1's own are left out."""
    listed = connection.execute(
        "SELECT name, type, wr, (SELECT sql FROM"
        f" {quoted(database)}.sqlite_schema AS s WHERE s.type = 'table' AND s.name = l.name)"
        " FROM pragma_table_list AS l WHERE schema = ?1 AND type <> 'view'"
        " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'"
        " ORDER BY name",
        (database,),
    ).fetchall()
    return tuple(
        Table(
            str(name),
            TableKind(str(kind)),
            bool(without_rowid),
            _columns(connection, database, str(name)),
            _references(connection, database, str(name)),
            _is_autoincrement(str(sql or "")),
        )
        for name, kind, without_rowid, sql in listed
    )


def build(schema: Schema) -> apsw.Connection:
    """Make an empty in-memory database of this schema, foreign keys not enforced."""
    connection = apsw.Connection(":memory:")
    create_objects(connection, schema)
    return connection


def tables_of(schema: Schema) -> tuple[Table, ...]:
    """The tables of a schema, as an empty database of it tells them."""
    connection = build(schema)
    try:
        return read_tables(connection)
    finally:
        connection.close()


def countable(tables: Sequence[Table]) -> tuple[str, ...]:
    """The tables whose rows are counted: a shadow's rows are those of its virtual table."""
    return tuple(t.name for t in tables if t.kind is not TableKind.SHADOW)


def shadows_of(tables: Sequence[Table], virtual: str) -> tuple[str, ...]:
    """The tables in which a virtual table keeps its rows: SQLite names them after it."""
    start = f"{virtual.lower()}_"
    shadows = (t.name for t in tables if t.kind is TableKind.SHADOW)
    return tuple(name for name in shadows if name.lower().startswith(start))


def create_tables(connection: apsw.Connection, schema: Schema) -> None:
    """Create the tables; the virtual ones first, since they bring their shadows themselves."""
    tables = [o for o in schema.objects if o.kind == "table"]
    for made in sorted(tables, key=lambda o: not _is_virtual(o)):
        known = connection.execute(
            "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", (made.name,)
        ).fetchone()
        if not known:
            _create(connection, made)


def create_rest(connection: apsw.Connection, schema: Schema) -> None:
    """Create the indexes, then the views, then the triggers (a trigger may stand on a view)."""
    for kind in ("index", "view", "trigger"):
        for made in (o for o in schema.objects if o.kind == kind):
            _create(connection, made)


def create_objects(connection: apsw.Connection, schema: Schema) -> None:
    """Create every object of a schema in an empty database."""
    create_tables(connection, schema)
    create_rest(connection, schema)


def _create(connection: apsw.Connection, made: SchemaObject) -> None:
    try:
        connection.execute(made.sql)
    except apsw.ConstraintError as error:  # an index over rows that were read
        raise RemoteFailed(
            f"The rows do not fit the {made.kind} {made.name}: {error}.",
            hint="The target changed while it was read. Read it again, when it is quieter.",
        ) from error
    except apsw.Error as error:
        raise ProjectError(
            f"The schema cannot be built: {made.kind} {made.name}: {error}.",
            hint="The target holds an object that its own SQL no longer makes; look at it there.",
        ) from error


def _is_autoincrement(sql: str) -> bool:
    """Whether the word stands there: SQLite reserves it, so it can mean nothing else."""
    return "AUTOINCREMENT" in sql.upper() and any(
        token.word == "AUTOINCREMENT" for token in tokens(sql, limit=len(sql))
    )


def _is_virtual(made: SchemaObject) -> bool:
    return made.sql.lstrip().upper().startswith("CREATE VIRTUAL")


def _columns(connection: apsw.Connection, database: str, table: str) -> tuple[Column, ...]:
    found = connection.execute(
        'SELECT name, type, "notnull", dflt_value, pk, hidden'
        " FROM pragma_table_xinfo(?1, ?2) ORDER BY cid",
        (table, database),
    )
    return tuple(
        Column(str(name), str(kind), bool(needed), _text(default), _int(key), _int(hidden))
        for name, kind, needed, default, key, hidden in found
    )


def _references(connection: apsw.Connection, database: str, table: str) -> tuple[Reference, ...]:
    found = connection.execute(
        'SELECT id, "table", "from", "to", on_delete FROM pragma_foreign_key_list(?1, ?2)'
        " ORDER BY id, seq",
        (table, database),
    ).fetchall()
    references = []
    for number in dict.fromkeys(row[0] for row in found):
        parts = [row for row in found if row[0] == number]
        references.append(
            Reference(
                tuple(str(part[2]) for part in parts),
                str(parts[0][1]),
                tuple(str(part[3]) for part in parts if part[3] is not None),
                str(parts[0][4]),
            )
        )
    return tuple(references)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _int(value: object) -> int:
    if isinstance(value, int):
        return value
    raise TypeError(f"{value!r} is not an integer")

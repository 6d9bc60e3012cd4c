"""A table as SQLite itself reports it: columns, keys, constraints, options, how it holds its rows.

A CREATE TABLE is asked of SQLite, never parsed, except for what no PRAGMA reports.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache

import apsw

from d1_preflight.core.schema.ddl import definitions
from d1_preflight.core.schema.full_text import is_derived, keeps_rows, shadow_names
from d1_preflight.core.sql.tokenizer import Token, closing, quote_name, tokens
from d1_preflight.lazy_dataclass import dataclass, field

_ROWID_NAMES = ("rowid", "_rowid_", "oid")
_STORED_HIDDEN = 0


class TableKind(StrEnum):
    """How a table holds its rows; a shadow is a table in which a virtual table keeps its own."""

    ORDINARY = "table"
    VIRTUAL = "virtual"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `pk` is its place in the primary key (0: none), `generated` its expression."""

    name: str
    type: str
    notnull: bool
    default: str | None
    pk: int
    hidden: int
    collation: str
    generated: str

    @property
    def affinity(self) -> str:
        """SQLite's affinity of the declared type, by its own five rules in order."""
        upper = self.type.upper()
        if "INT" in upper:
            return "INTEGER"
        if any(part in upper for part in ("CHAR", "CLOB", "TEXT")):
            return "TEXT"
        if "BLOB" in upper or not upper:
            return "BLOB"
        if any(part in upper for part in ("REAL", "FLOA", "DOUB")):
            return "REAL"
        return "NUMERIC"

    @property
    def holds_data(self) -> bool:
        """Whether a value can be written to it: neither generated nor a virtual table's own."""
        return self.hidden == _STORED_HIDDEN

    @property
    def words(self) -> str:
        """The column as one would declare it."""
        parts = [self.type, "PRIMARY KEY" if self.pk else "", "NOT NULL" if self.notnull else ""]
        parts.append(f"DEFAULT {self.default}" if self.default is not None else "")
        parts.append(f"COLLATE {self.collation}" if self.collation != "BINARY" else "")
        parts.append(self.generated)
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """One foreign key; `parent_columns` is empty where it means the parent's primary key."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    on_delete: str
    on_update: str

    @property
    def words(self) -> str:
        """The key as one would declare it."""
        target = f"({', '.join(self.parent_columns)})" if self.parent_columns else ""
        return (
            f"({', '.join(self.columns)}) REFERENCES {self.parent}{target}"
            f" ON DELETE {self.on_delete} ON UPDATE {self.on_update}"
        )


@dataclass(frozen=True, slots=True)
class Table:
    """One table: what a rebuild could forget, and what is needed to read and write its rows.

    `ordered_by` is the key of a table without a rowid as its index orders it, by collations too:
    they need not be the columns' own.
    """

    name: str
    kind: TableKind
    columns: tuple[Column, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    checks: tuple[str, ...] = ()
    strict: bool = False
    without_rowid: bool = False
    autoincrement: bool = False
    sql: str = field(default="", compare=False)
    parents: frozenset[str] = frozenset()  # the tables its keys refer to, in lower case
    ordered_by: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    @property
    def is_virtual(self) -> bool:
        """Whether a module holds its rows."""
        return self.kind is TableKind.VIRTUAL

    @property
    def is_shadow(self) -> bool:
        """Whether a virtual table keeps its rows in it."""
        return self.kind is TableKind.SHADOW

    @property
    def is_derived(self) -> bool:
        """Whether it shows what other tables hold: a full-text index, or its vocabulary."""
        return self.is_virtual and is_derived(self.sql)

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names in order."""
        return tuple(column.name for column in self.columns)

    @property
    def data_columns(self) -> tuple[str, ...]:
        """The names of the columns that hold values of their own."""
        return tuple(c.name for c in self.columns if c.holds_data)

    @property
    def has_own_rows(self) -> bool:
        """Whether it is a virtual table with rows of its own: an R*Tree's, or its own text."""
        return self.is_virtual and keeps_rows(self.sql)

    @property
    def row_name(self) -> str:
        """A name by which a row can be told from the others, "" where there is none."""
        return "rowid" if self.has_own_rows else self.rowid

    def column(self, name: str) -> Column | None:
        """The column of that name, whatever its case."""
        wanted = name.lower()
        return next((c for c in self.columns if c.name.lower() == wanted), None)

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The primary key's columns in key order, () where there is none."""
        return tuple(c.name for c in sorted(self.columns, key=lambda c: c.pk) if c.pk)

    @property
    def rowid(self) -> str:
        """A name by which the rowid can be read and written, "" where there is none."""
        if self.without_rowid or self.is_virtual:
            return ""
        taken = {c.name.lower() for c in self.columns}
        return next((name for name in _ROWID_NAMES if name not in taken), "")

    @property
    def rowid_column(self) -> str:
        """The column that is the rowid by another name (INTEGER PRIMARY KEY), "" where none is."""
        keys = [column for column in self.columns if column.pk]
        alone = len(keys) == 1 and keys[0].type.upper() == "INTEGER"
        return keys[0].name if alone and not self.without_rowid and not self.is_virtual else ""

    @property
    def walk(self) -> tuple[str, ...]:
        """The columns by which the rows are read in order and in pages, () where none can."""
        if self.rowid:
            return (self.rowid,)
        return tuple(name for name, _ in self.ordered_by)


def read_tables(connection: apsw.Connection, database: str = "main") -> tuple[Table, ...]:
    """Ask an open database for its tables, by name; SQLite's and D1's own are left out."""
    listed = connection.execute(
        "SELECT name, type = 'shadow', (SELECT sql FROM"
        f" {quote_name(database)}.sqlite_schema AS s WHERE s.type = 'table' AND s.name = l.name)"
        " FROM pragma_table_list AS l WHERE schema = ?1 AND type <> 'view'"
        " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'"
        " ORDER BY name",
        (database,),
    ).fetchall()
    inner = shadows_among({str(name): str(sql or "") for name, _, sql in listed})
    return tuple(
        read_table(
            connection,
            str(name),
            str(sql or ""),
            database,
            is_shadow=bool(is_shadow) and str(name).lower() in inner,
        )
        for name, is_shadow, sql in listed
    )


def read_table(
    connection: apsw.Connection,
    name: str,
    sql: str,
    database: str = "main",
    *,
    is_shadow: bool = False,
) -> Table:
    """Ask an open database for one table, which `sql` created (the authorizer must be off)."""
    parts = _parts(sql)
    pragma = f"PRAGMA {quote_name(database)}."
    kind = TableKind.SHADOW if is_shadow else TableKind.ORDINARY
    keys = _foreign_keys(connection, pragma, name)
    without_rowid = "WITHOUT" in parts.options and "ROWID" in parts.options
    return Table(
        name=name,
        kind=TableKind.VIRTUAL if parts.is_virtual else kind,
        columns=_columns(connection, name, parts, database),
        foreign_keys=keys,
        parents=frozenset(key.parent.lower() for key in keys),
        unique=_unique(connection, pragma, name) if "UNIQUE" in parts.words else (),
        checks=parts.checks,
        strict="STRICT" in parts.options,
        without_rowid=without_rowid,
        autoincrement="AUTOINCREMENT" in parts.words,
        sql=sql,
        ordered_by=_order(connection, pragma, name) if without_rowid else (),
    )


def countable(tables: Sequence[Table]) -> tuple[str, ...]:
    """The tables whose rows are counted: a shadow's rows are those of its virtual table.

    A virtual table that shows the rows of another one has none to count: where that one is gone,
    it cannot even be asked.
    """
    return tuple(t.name for t in tables if not t.is_shadow and not t.is_derived)


def shadows_of(tables: Sequence[Table], virtual: str) -> tuple[str, ...]:
    """The tables in which a virtual table keeps its rows."""
    made = frozenset[str]()
    for table in tables:
        if table.is_virtual and table.name.lower() == virtual.lower():
            made = shadow_names(table.name, table.sql)
    return tuple(t.name for t in tables if t.is_shadow and t.name.lower() in made)


def shadows_among(made: Mapping[str, str]) -> frozenset[str]:
    """The names, in lower case, of the shadows of the virtual tables among these statements.

    SQLite calls every table a shadow that has such a name, a full-text index's content table too.
    """
    virtual = {name: sql for name, sql in made.items() if is_virtual(sql)}
    return frozenset(n for name, sql in virtual.items() for n in shadow_names(name, sql))


def parents_first(tables: Sequence[Table]) -> tuple[tuple[Table, ...], tuple[str, ...]]:
    """Order tables so that each follows those it refers to, and name those that form cycles.

    Tables of a cycle come last, in the given order: only deferred foreign keys let them in.
    """
    waiting = {table.name.lower(): table for table in tables}
    ordered: list[Table] = []
    while waiting:
        ready = [
            table
            for name, table in waiting.items()
            if not {key.parent.lower() for key in table.foreign_keys} - {name} & waiting.keys()
        ]
        if not ready:
            return (*ordered, *waiting.values()), tuple(t.name for t in waiting.values())
        for table in ready:
            del waiting[table.name.lower()]
        ordered += ready
    return tuple(ordered), ()


def is_virtual(sql: str) -> bool:
    """Whether a CREATE statement makes a virtual table."""
    return _parts(sql).is_virtual


def _columns(
    connection: apsw.Connection, name: str, parts: "_Parts", database: str
) -> tuple[Column, ...]:
    query = f"PRAGMA {quote_name(database)}.table_xinfo({quote_name(name)})"
    return tuple(
        Column(
            name=str(row[1]),
            type=str(row[2] or ""),
            notnull=bool(row[3]),
            default=None if row[4] is None else str(row[4]),
            pk=int(str(row[5])),
            hidden=int(str(row[6])),
            collation="BINARY" if parts.is_virtual else _collation(connection, database, name, row),
            generated=parts.generated.get(str(row[1]).lower(), "") if row[6] else "",
        )
        for row in connection.execute(query).fetchall()
    )


def _collation(
    connection: apsw.Connection, database: str, table: str, row: Sequence[object]
) -> str:
    return str(connection.column_metadata(database, table, str(row[1]))[1])


def _foreign_keys(connection: apsw.Connection, pragma: str, name: str) -> tuple[ForeignKey, ...]:
    keys: dict[int, list[tuple[object, ...]]] = {}
    for row in connection.execute(f"{pragma}foreign_key_list({quote_name(name)})"):
        keys.setdefault(int(str(row[0])), []).append(row)
    return tuple(
        ForeignKey(
            columns=tuple(str(r[3]) for r in rows),
            parent=str(rows[0][2]),
            parent_columns=tuple(str(r[4]) for r in rows if r[4] is not None),
            on_delete=str(rows[0][6]),
            on_update=str(rows[0][5]),
        )
        for _, rows in sorted(keys.items(), reverse=True)
    )


def _unique(connection: apsw.Connection, pragma: str, name: str) -> tuple[tuple[str, ...], ...]:
    found = []
    for row in connection.execute(f"{pragma}index_list({quote_name(name)})"):
        if row[3] == "u":
            info = connection.execute(f"{pragma}index_info({quote_name(str(row[1]))})")
            found.append(tuple(str(part[2]) for part in info))
    return tuple(sorted(found))


def _order(connection: apsw.Connection, pragma: str, name: str) -> tuple[tuple[str, str], ...]:
    for row in connection.execute(f"{pragma}index_list({quote_name(name)})"):
        if row[3] == "pk":
            info = connection.execute(f"{pragma}index_xinfo({quote_name(str(row[1]))})")
            return tuple((str(part[2]), str(part[4])) for part in info if part[5])
    return ()


@dataclass(frozen=True, slots=True)
class _Parts:
    """What only the text of a CREATE TABLE shows."""

    checks: tuple[str, ...]
    generated: dict[str, str]
    options: frozenset[str]
    words: frozenset[str]
    is_virtual: bool = False


@lru_cache(maxsize=4096)
def _parts(sql: str) -> _Parts:
    found = tokens(sql, limit=len(sql))
    words = frozenset(token.word for token in found if token.word)
    if len(found) > 1 and found[1].word == "VIRTUAL":
        return _Parts((), {}, frozenset(), words, is_virtual=True)
    last = max((n for n, token in enumerate(found) if token.text == ")"), default=len(found))
    options = frozenset(token.word for token in found[last:])
    parts = tuple(definitions(found))
    checks = tuple(sorted(c for part in parts for c in _after(part, "CHECK")))
    generated = {
        part[0].name.lower(): "AS " + next(_after(part, "AS"), "")
        for part in parts
        if part and any(token.word == "AS" for token in part)
    }
    return _Parts(checks, generated, options, words)


def _after(part: Sequence[Token], word: str) -> Iterator[str]:
    """The parenthesised text after each `word` of a definition."""
    for n, token in enumerate(part):
        if token.word == word and n + 1 < len(part) and part[n + 1].text == "(":
            group = part[n + 1 : closing(part, n + 1) + 1]
            yield " ".join(t.text.lower() if t.word else t.text for t in group)

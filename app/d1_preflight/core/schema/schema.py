"""A database's schema as `sqlite_schema` tells it: a value to compare, fingerprint and rebuild."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

import apsw

from d1_preflight.core.schema.shape import TableShape, read_table
from d1_preflight.core.sql.tokenizer import Shape, tokens

# One statement for `wrangler d1 execute`; hides SQLite's, D1's and the ledger's own objects.
SCHEMA_QUERY = (
    "SELECT type, name, tbl_name, sql FROM sqlite_schema"
    " WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'"
    " ORDER BY rowid"
)


@dataclass(frozen=True, slots=True)
class SchemaObject:
    """One row of `sqlite_schema`: `kind` is table, index, trigger or view."""

    kind: str
    name: str
    table: str
    sql: str


@dataclass(frozen=True, slots=True)
class Schema:
    """All objects, in the order of creation (the order in which they can be made again)."""

    objects: tuple[SchemaObject, ...] = ()

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, object]]) -> "Schema":
        """From the rows of `SCHEMA_QUERY`; automatic indexes (no SQL) are left out."""
        return cls(
            tuple(
                SchemaObject(str(r["type"]), str(r["name"]), str(r["tbl_name"]), str(r["sql"]))
                for r in rows
                if r["sql"] is not None
            )
        )

    @classmethod
    def from_connection(cls, connection: apsw.Connection) -> "Schema":
        """The schema of an open database; automatic indexes are left out."""
        rows = connection.execute(SCHEMA_QUERY)
        return cls(
            tuple(
                SchemaObject(str(kind), str(name), str(table), str(sql))
                for kind, name, table, sql in rows
                if sql is not None
            )
        )

    def build(self, connection: apsw.Connection) -> tuple[str, ...]:
        """Make all objects in an empty database; returns those that could not be made, in words."""
        connection.execute("PRAGMA foreign_keys = OFF")
        problems = []
        for found in sorted(self.objects, key=_build_order):
            try:
                connection.execute(found.sql)
            except apsw.Error as error:
                if not _exists(connection, found):  # a full-text table makes its own inner tables
                    problems.append(f"{found.kind} {found.name}: {error}")
        connection.execute("PRAGMA foreign_keys = ON")
        return tuple(problems)

    def without(self, *names: str) -> "Schema":
        """The schema less the named tables and whatever hangs on them (the ledger, mostly)."""
        return Schema(tuple(o for o in self.objects if o.table not in names))

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the tables, in order of creation."""
        return tuple(o.name for o in self.objects if o.kind == "table")

    @property
    def fingerprint(self) -> str:
        """sha256 over kind, name and SQL of every object, whatever their order."""
        lines = sorted(f"{o.kind}\x1f{o.name}\x1f{o.table}\x1f{o.sql}" for o in self.objects)
        return sha256("\x1e".join(lines).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Structure:
    """A schema in detail: the shape of every table, and the other objects, by lower-case name."""

    tables: Mapping[str, TableShape]
    indexes: Mapping[str, SchemaObject]
    triggers: Mapping[str, SchemaObject]
    views: Mapping[str, SchemaObject]
    inner: frozenset[str] = frozenset()  # the tables that a virtual table keeps for itself

    def table(self, name: str) -> TableShape | None:
        """The table of that name, whatever its case."""
        return self.tables.get(name.lower())

    def children_of(self, parent: str) -> tuple[TableShape, ...]:
        """The tables with a foreign key to `parent`, itself too where it refers to itself."""
        wanted = parent.lower()
        return tuple(shape for shape in self.tables.values() if wanted in shape.parents)


class StructureReader:
    """Reads structures of one connection, keeping the shapes of tables whose text is unchanged."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._shapes: dict[tuple[str, str], TableShape] = {}

    def read(self, schema: Schema) -> Structure:
        """The structure of `schema`, which must be the connection's present one."""
        groups: dict[str, dict[str, SchemaObject]] = {}
        for found in schema.objects:
            groups.setdefault(found.kind, {})[found.name.lower()] = found
        return Structure(
            tables={n: self._shape(o) for n, o in groups.get("table", {}).items()},
            indexes=groups.get("index", {}),
            triggers=groups.get("trigger", {}),
            views=groups.get("view", {}),
            inner=self._inner(schema),
        )

    def _shape(self, found: SchemaObject) -> TableShape:
        key = (found.name, found.sql)
        if key not in self._shapes:
            self._shapes[key] = read_table(self._connection, found.name, found.sql)
        return self._shapes[key]

    def _inner(self, schema: Schema) -> frozenset[str]:
        if not any(" VIRTUAL " in found.sql[:40].upper() for found in schema.objects):
            return frozenset()
        rows = self._connection.execute("PRAGMA table_list")
        return frozenset(str(row[1]).lower() for row in rows if row[2] == "shadow")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two schemas; `kind` is added, removed or changed."""

    kind: str
    object: str  # table, column, index, trigger, view, foreign key, check, unique, option
    name: str
    before: str = ""
    after: str = ""

    @property
    def words(self) -> str:
        """The change in one line, for people."""
        told = {
            "added": f"is new: {self.after}",
            "removed": f"is gone: {self.before}",
            "changed": f"was {self.before}, is {self.after}",
        }[self.kind]
        return f"{self.object} {self.name} {told}".rstrip(": ")


def structure(schema: Schema) -> Structure:
    """The detailed structure of a schema, read from a scratch database built from it."""
    connection = apsw.Connection(":memory:")
    try:
        schema.build(connection)
        return StructureReader(connection).read(Schema.from_connection(connection))
    finally:
        connection.close()


def diff(before: Schema, after: Schema) -> tuple[Change, ...]:
    """What differs, down to columns and constraints; wording and order of the SQL do not count."""
    return compare(structure(before), structure(after))


def compare(old: Structure, new: Structure) -> tuple[Change, ...]:
    """The differences of two structures."""
    found: list[Change] = []
    for name in dict.fromkeys([*old.tables, *new.tables]):
        if name in old.inner or name in new.inner:
            continue
        found += _tables(old.tables.get(name), new.tables.get(name))
    for kind in ("index", "trigger", "view"):
        befores: Mapping[str, SchemaObject] = getattr(old, _PLURAL[kind])
        afters: Mapping[str, SchemaObject] = getattr(new, _PLURAL[kind])
        texts = [{o.name: normal_sql(o.sql) for o in side.values()} for side in (befores, afters)]
        found += _pairs(kind, "", texts[0], texts[1])
    return tuple(found)


@lru_cache(maxsize=4096)
def normal_sql(sql: str) -> str:
    """SQL without comments, with blanks, letter case of words and quotes of names evened out."""
    return " ".join(
        token.name.lower() if token.shape is not Shape.STRING else token.text
        for token in tokens(sql, limit=len(sql))
        if token.text != ";"
    )


_PLURAL = {"index": "indexes", "trigger": "triggers", "view": "views"}
_ORDER = {"table": 1, "index": 2, "view": 3, "trigger": 4}


def _build_order(found: SchemaObject) -> int:
    is_virtual = found.kind == "table" and " VIRTUAL " in found.sql[:40].upper()
    return 0 if is_virtual else _ORDER.get(found.kind, 5)


def _exists(connection: apsw.Connection, found: SchemaObject) -> bool:
    query = "SELECT 1 FROM sqlite_schema WHERE name = ? AND type = ?"
    return connection.execute(query, (found.name, found.kind)).fetchone() is not None


def _pairs(
    kind: str, prefix: str, befores: Mapping[str, str], afters: Mapping[str, str]
) -> Iterator[Change]:
    for name in dict.fromkeys([*befores, *afters]):
        before, after = befores.get(name), afters.get(name)
        if before is None:
            yield Change("added", kind, prefix + name, "", after or "")
        elif after is None:
            yield Change("removed", kind, prefix + name, before)
        elif before != after:
            yield Change("changed", kind, prefix + name, before, after)


def _tables(old: TableShape | None, new: TableShape | None) -> Iterator[Change]:
    if old is None or new is None:
        if new is not None:
            yield Change("added", "table", new.name, "", ", ".join(new.column_names))
        elif old is not None:
            yield Change("removed", "table", old.name, ", ".join(old.column_names))
        return
    prefix = f"{new.name}."
    for kind, read in _ASPECTS.items():
        yield from _pairs(kind, prefix, read(old), read(new))


def _options(shape: TableShape) -> dict[str, str]:
    return {
        "strict": "yes" if shape.strict else "no",
        "without rowid": "yes" if shape.without_rowid else "no",
        "autoincrement": "yes" if shape.autoincrement else "no",
    }


_ASPECTS: Mapping[str, Callable[[TableShape], Mapping[str, str]]] = {
    "column": lambda shape: {c.name: c.words for c in shape.columns},
    "foreign key": lambda shape: {", ".join(k.columns): k.words for k in shape.foreign_keys},
    "unique": lambda shape: {", ".join(u): "UNIQUE" for u in shape.unique},
    "check": lambda shape: dict.fromkeys(shape.checks, "CHECK"),
    "option": _options,
}

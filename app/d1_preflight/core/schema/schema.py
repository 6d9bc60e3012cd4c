"""A database's schema from `sqlite_schema`: a value to compare, fingerprint and rebuild."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing
from functools import lru_cache
from hashlib import sha256

import apsw

from d1_preflight.core.errors import ProjectError, RemoteFailed
from d1_preflight.core.schema.parts import ASPECTS, Part, Parts
from d1_preflight.core.schema.spelling import index_spelling, one_spelling, words_of
from d1_preflight.core.schema.table import (
    Table,
    is_virtual,
    parents_first,
    read_table,
    read_tables,
    shadows_among,
)
from d1_preflight.core.sql.tokenizer import TokenKind, quote_name, tokens
from d1_preflight.lazy_dataclass import dataclass

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
    def from_connection(cls, connection: apsw.Connection, database: str = "main") -> "Schema":
        """The schema of an open database, or of one attached; automatic indexes are left out."""
        place = f"{quote_name(database)}.sqlite_schema"
        found = connection.execute(SCHEMA_QUERY.replace("sqlite_schema", place))
        return cls(tuple(SchemaObject(*map(str, row)) for row in found if row[3] is not None))

    def build(self, connection: apsw.Connection) -> tuple[str, ...]:
        """Make all objects in an empty database; returns those that could not be made, in words."""
        connection.execute("PRAGMA foreign_keys = OFF")
        refused = tuple(_create(connection, self.objects))
        connection.execute("PRAGMA foreign_keys = ON")
        return tuple(f"{found.kind} {found.name}: {error}" for found, error in refused)

    def without(self, *names: str) -> "Schema":
        """The schema less the named tables and whatever hangs on them (the ledger, mostly)."""
        lower = {name.lower() for name in names}  # a trigger keeps the case it was written in
        return Schema(tuple(o for o in self.objects if o.table.lower() not in lower))

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the tables, in order of creation."""
        return tuple(o.name for o in self.objects if o.kind == "table")

    @property
    def fingerprint(self) -> str:
        """sha256 over kind, name and SQL of every object, whatever their order."""
        lines = sorted(f"{o.kind}\x1f{o.name}\x1f{o.table}\x1f{o.sql}" for o in self.objects)
        return sha256("\x1e".join(lines).encode()).hexdigest()


ObjectPart = tuple[str, str]
"""A kind and a name: a table, an index; or a part of a table, as `table.column`."""


@dataclass(frozen=True, slots=True)
class Structure:
    """A schema in detail: every table, and the other objects, by lower-case name."""

    tables: Mapping[str, Table]
    indexes: Mapping[str, SchemaObject]
    triggers: Mapping[str, SchemaObject]
    views: Mapping[str, SchemaObject]
    inner: frozenset[str] = frozenset()  # the tables that a virtual table keeps for itself

    def table(self, name: str) -> Table | None:
        """The table of that name, whatever its case."""
        return self.tables.get(name.lower())

    def children_of(self, parent: str) -> tuple[Table, ...]:
        """The tables with a foreign key to `parent`, itself too where it refers to itself."""
        wanted = parent.lower()
        return tuple(table for table in self.tables.values() if wanted in table.parents)

    def descendants_of(self, table: str) -> tuple[Table, ...]:
        """The tables that refer to `table`, directly or not, parents before their children."""
        found, waiting = dict[str, Table](), [table]
        while waiting:
            for child in self.children_of(waiting.pop(0)):
                lower = child.name.lower()
                if lower != table.lower() and lower not in found:
                    found[lower] = child
                    waiting.append(child.name)
        return parents_first(tuple(found.values()))[0]

    def of(self, kind: str) -> Mapping[str, SchemaObject]:
        """The objects of a kind that is not a table: index, trigger or view."""
        return {"index": self.indexes, "trigger": self.triggers, "view": self.views}[kind]


class StructureReader:
    """Reads structures of one connection, keeping the tables whose text is unchanged."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._tables: dict[tuple[str, str, bool], Table] = {}

    def read(self, schema: Schema) -> Structure:
        """The structure of `schema`, which must be the connection's present one."""
        groups: dict[str, dict[str, SchemaObject]] = {}
        for found in schema.objects:
            groups.setdefault(found.kind, {})[found.name.lower()] = found
        inner = self._inner(schema)
        return Structure(
            tables={n: self._table(o, inner) for n, o in groups.get("table", {}).items()},
            indexes=groups.get("index", {}),
            triggers=groups.get("trigger", {}),
            views=groups.get("view", {}),
            inner=inner,
        )

    def _table(self, found: SchemaObject, inner: frozenset[str]) -> Table:
        is_shadow = found.name.lower() in inner
        key = (found.name, found.sql, is_shadow)
        if key not in self._tables:
            self._tables[key] = read_table(
                self._connection, found.name, found.sql, is_shadow=is_shadow
            )
        return self._tables[key]

    def _inner(self, schema: Schema) -> frozenset[str]:
        made = shadows_among({o.name: o.sql for o in schema.objects if o.kind == "table"})
        if not made:
            return made
        rows = self._connection.execute("PRAGMA table_list")
        return made & frozenset(str(row[1]).lower() for row in rows if row[2] == "shadow")


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
        words = {
            "added": f"is new: {self.after}",
            "removed": f"is gone: {self.before}",
            "changed": f"was {self.before}, is {self.after}",
        }[self.kind]
        return f"{self.object} {self.name} {words}".rstrip(": ")


@lru_cache(maxsize=8)
def structure(schema: Schema) -> Structure:
    """The detailed structure of a schema, read from a scratch database built from it."""
    with closing(apsw.Connection(":memory:")) as connection:
        schema.build(connection)
        return StructureReader(connection).read(Schema.from_connection(connection))


def create_tables(connection: apsw.Connection, schema: Schema) -> None:
    """Create the tables; raises where the target's own SQL no longer makes one."""
    _create_all(connection, [o for o in schema.objects if o.kind == "table"])


def create_rest(connection: apsw.Connection, schema: Schema) -> None:
    """Create the indexes, then the views, then the triggers (a view may have triggers)."""
    _create_all(connection, [o for o in schema.objects if o.kind != "table"])


@lru_cache(maxsize=8)  # a step asks for the tables of one schema several times
def tables_of(schema: Schema) -> tuple[Table, ...]:
    """The tables of a schema, read from an empty database of it."""
    with closing(apsw.Connection(":memory:")) as connection:
        _create_all(connection, schema.objects)
        return read_tables(connection)


def diff(before: Schema, after: Schema) -> tuple[Change, ...]:
    """What differs, down to columns and constraints; wording and order of the SQL do not count."""
    return compare(structure(before), structure(after))


def meanings(schemas: Iterable[Schema]) -> tuple[Mapping[ObjectPart, str], ...]:
    """What each part of these schemas means, to be compared by its kind and name."""
    read = [structure(schema) for schema in schemas]
    names = frozenset(name for one in read for name in _names(one, one))
    return tuple(dict(_meanings(one, names)) for one in read)


def _meanings(one: Structure, names: Collection[str]) -> Iterator[tuple[ObjectPart, str]]:
    for name, table in one.tables.items():
        if name in one.inner:
            continue
        yield ("table", name), "there"
        for kind, read in ASPECTS.items():
            for key, part in read(table, one).items():
                yield (kind, f"{name}.{key.strip().lower()}"), part.means
    for kind in ("index", "trigger", "view"):
        spelled = index_spelling if kind == "index" else one_spelling
        for name, made in one.of(kind).items():
            yield (kind, name), spelled(made.sql, names)


def compare(old: Structure, new: Structure) -> tuple[Change, ...]:
    """The differences of two structures."""
    found: list[Change] = []
    for name in dict.fromkeys([*old.tables, *new.tables]):
        if name in old.inner or name in new.inner:
            continue
        found += _tables(old, new, name)
    for kind in ("index", "trigger", "view"):
        befores, afters = old.of(kind), new.of(kind)
        spelled = index_spelling if kind == "index" else one_spelling
        names = _names(old, new) if befores != afters else frozenset[str]()
        found += _pairs(kind, "", *(_objects(side, spelled, names) for side in (befores, afters)))
    return tuple(found)


def _names(old: Structure, new: Structure) -> frozenset[str]:
    """Every name in use in either schema: in double quotes it is a name, not a string."""
    sides = (old, new)
    tables = [table for side in sides for table in side.tables.values()]
    objects = [o for s in sides for o in (*s.indexes.values(), *s.triggers.values(),
                                          *s.views.values())]  # fmt: skip
    names = {t.name for t in tables} | {c.name for t in tables for c in t.columns}
    names |= {found.name for found in objects}
    return frozenset(name.lower() for name in names) | words_of(found.sql for found in objects)


def _objects(
    found: Mapping[str, SchemaObject],
    spelled: Callable[[str, Collection[str]], str],
    names: Collection[str],
) -> Parts:
    return {
        key: Part(o.name, normal_sql(o.sql), spelled(o.sql, names) if names else o.sql)
        for key, o in found.items()
    }


@lru_cache(maxsize=4096)
def normal_sql(sql: str) -> str:
    """SQL without comments, with blanks, letter case of words and quotes of names evened out."""
    return " ".join(
        token.name.lower() if token.kind is not TokenKind.STRING else token.text
        for token in tokens(sql, limit=len(sql))
        if token.text != ";"
    )


_ORDER = {"table": 1, "index": 2, "view": 3, "trigger": 4}


def _create(
    connection: apsw.Connection, objects: Iterable[SchemaObject]
) -> Iterator[tuple[SchemaObject, apsw.Error]]:
    """Create objects; gives those that SQLite refuses.

    The virtual tables come first, since they bring their shadows themselves.
    """
    for found in sorted(objects, key=_build_order):
        try:
            connection.execute(found.sql)
        except apsw.Error as error:
            if not _exists(connection, found):
                yield found, error


def _create_all(connection: apsw.Connection, objects: Iterable[SchemaObject]) -> None:
    for found, error in _create(connection, objects):
        if isinstance(error, apsw.ConstraintError):  # an index over rows that were read
            raise RemoteFailed(
                f"The rows do not fit the {found.kind} {found.name}: {error}.",
                hint="The target changed while it was read. Read it again at a quieter time.",
            ) from error
        raise ProjectError(
            f"The schema cannot be built: {found.kind} {found.name}: {error}.",
            hint="The target has an object that its own SQL no longer creates; look at it there.",
        ) from error


def _build_order(found: SchemaObject) -> int:
    comes_first = found.kind == "table" and is_virtual(found.sql)
    return 0 if comes_first else _ORDER.get(found.kind, 5)


def _exists(connection: apsw.Connection, found: SchemaObject) -> bool:
    query = "SELECT 1 FROM sqlite_schema WHERE name = ? AND type = ?"
    return connection.execute(query, (found.name, found.kind)).fetchone() is not None


def _pairs(kind: str, prefix: str, befores: Parts, afters: Parts) -> Iterator[Change]:
    for key in dict.fromkeys([*befores, *afters]):
        before, after = befores.get(key), afters.get(key)
        if before is None:
            if after is not None:
                yield Change("added", kind, prefix + after.name, "", after.words)
        elif after is None:
            yield Change("removed", kind, prefix + before.name, before.words)
        elif before.means != after.means:
            yield Change("changed", kind, prefix + after.name, before.words, after.words)


def _tables(before: Structure, after: Structure, name: str) -> Iterator[Change]:
    old, new = before.tables.get(name), after.tables.get(name)
    if old is None or new is None:
        if new is not None:
            yield Change("added", "table", new.name, "", ", ".join(new.column_names))
        elif old is not None:
            yield Change("removed", "table", old.name, ", ".join(old.column_names))
        return
    for kind, read in ASPECTS.items():
        yield from _pairs(kind, f"{new.name}.", read(old, before), read(new, after))
    keys = (old.primary_key, new.primary_key)
    if keys[0] != keys[1] and sorted(keys[0]) == sorted(keys[1]):
        words = (", ".join(key) for key in keys)
        yield Change("changed", "option", f"{new.name}.primary key", *words)

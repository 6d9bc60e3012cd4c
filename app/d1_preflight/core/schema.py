"""A database's schema as `sqlite_schema` tells it: a value to compare, fingerprint and rebuild."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

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

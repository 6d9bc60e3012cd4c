"""Ledgers of other tools in a target, recognised by the shape of their table; read, never written.

A migration that is applied by wrangler alone stays unknown to such a tool, which would apply the
file again.
"""

from collections.abc import Iterable, Mapping, Sequence

from d1_preflight.core.format import first
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.project.pending import pending_set
from d1_preflight.core.schema.schema import Schema, tables_of
from d1_preflight.core.schema.table import Table
from d1_preflight.core.sql.tokenizer import quote_name
from d1_preflight.core.target.snapshot import Observation
from d1_preflight.lazy_dataclass import dataclass

DRIZZLE = "drizzle"
_NUXTHUB = "_hub_migrations"
_WRANGLER = "wrangler"  # of another folder: its files are others
_WRANGLERS = frozenset({"id", "name", "applied_at"})
_SHAPES: tuple[tuple[str, frozenset[str]], ...] = (
    ("Prisma", frozenset({"migration_name", "checksum", "finished_at"})),
    (DRIZZLE, frozenset({"hash", "created_at"})),
    ("Alchemy", _WRANGLERS | {"type"}),
    (_WRANGLER, _WRANGLERS),
)
_HAND_MADE = frozenset({"name", "version", "filename", "file", "migration", "id"})
_KEYS = ("migration_name", "hash", "name", "filename", "file", "migration", "version", "id")
_MOST_COLUMNS = 6
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class ForeignLedger:
    """A table in which another tool, or a program of one's own, notes what it applied."""

    table: str
    tool: str

    @property
    def words(self) -> str:
        """For people: the table, and whose it is."""
        whose = f"{self.tool}'s" if self.tool else "a program's own"
        return f"{self.table} ({whose} ledger)"


def foreign_ledgers(schema: Schema) -> tuple[ForeignLedger, ...]:
    """The other ledgers of a schema, which is without wrangler's own."""
    found = ((table.name, tool_of(table)) for table in tables_of(schema))
    return tuple(ForeignLedger(name, tool) for name, tool in found if tool is not None)


def tool_of(table: Table) -> str | None:
    """Whose ledger a table is, "" for a program's own; None for no ledger."""
    if "migration" not in table.name.lower():
        return None
    columns = {column.name.lower() for column in table.columns}
    if table.name == _NUXTHUB:
        return "NuxtHub"
    tool = next((tool for tool, shape in _SHAPES if shape <= columns), None)
    if tool is None and len(columns) <= _MOST_COLUMNS and columns & _HAND_MADE:
        return ""
    return tool


def recorded_question(table: Table) -> str:
    """The query for what a ledger says is applied; "" where no column of it tells."""
    columns = {column.name.lower() for column in table.columns}
    if not (key := key_column(table)):
        return ""
    done = " WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL"
    where = done if {"finished_at", "rolled_back_at"} <= columns else ""
    return f"SELECT {quote_name(key)} AS recorded FROM {quote_name(table.name)}{where}"


def key_column(table: Table) -> str:
    """The column of a ledger that says which migration a row is about; "" where none does."""
    columns = {column.name.lower(): column.name for column in table.columns}
    return next((columns[name] for name in _KEYS if name in columns), "")


def recorded_names(migrations: Iterable[Migration], recorded: Iterable[object]) -> frozenset[str]:
    """The files that another ledger's rows mean: by hash, by name, by folder or by number."""
    said = {str(value) for value in recorded}
    return frozenset(m.name for m in migrations if not said.isdisjoint(_known_as(m)))


def _known_as(migration: Migration) -> tuple[str, ...]:
    """What tools call a file: drizzle its hash, Prisma its folder, others its name or stem."""
    *folders, base = migration.name.split("/")
    folder = folders[-1:] if base == "migration.sql" else []
    number = [] if migration.number is None else [str(migration.number)]
    return (migration.sha256, migration.name, migration.stem, base, *folder, *number)


def lacks_rows(seen: Observation) -> bool:
    """Whether files may be applied that wrangler's ledger lacks: without rows, or beside others."""
    return bool(seen.schema.tables) and (not seen.ledger or bool(foreign_ledgers(seen.schema)))


def ledger_remarks(seen: Observation, files: Iterable[str]) -> tuple[str, ...]:
    """What is odd about the ledgers of a target, for the board."""
    names = [row.name for row in seen.ledger]
    held = pending_set(files, names)
    found = [f"There is also {ledger.words}." for ledger in foreign_ledgers(seen.schema)]
    if not seen.ledger and lacks_rows(seen):
        found.append("wrangler's ledger has no rows, but the database is not empty: adopt it.")
    if held.late:
        found.append(f"The ledger has a gap: a later file is applied, not {listed(held.late)}.")
    return (*found, *false_rows(names, held.extra))


def false_rows(names: Sequence[str], extra: Sequence[str]) -> tuple[str, ...]:
    """The rows of a ledger that cannot be right: those of no file, and those there twice."""
    found = [f"The ledger lists files that are not here: {listed(extra)}."] if extra else []
    if twice := sorted({name for name in names if names.count(name) > 1}):
        found.append(f"The ledger has two rows each for: {listed(twice)}.")
    return tuple(found)


def is_wranglers(table: Table) -> bool:
    """Whether a table of the ledger's name is wrangler's ledger, by its columns."""
    return {column.name.lower() for column in table.columns} >= _WRANGLERS


def kept_ledgers(
    schema: Schema, counts: Mapping[str, int], ignored: Sequence[str] = ()
) -> tuple[ForeignLedger, ...]:
    """The ledgers of other tools that are in use: those with rows, but for the ignored ones."""
    return tuple(
        ledger
        for ledger in foreign_ledgers(schema)
        if counts.get(ledger.table) and ledger.tool != _WRANGLER and ledger.table not in ignored
    )


def refusal(reasons: Mapping[ForeignLedger, str]) -> str:
    """Why nothing may be applied beside other tools' ledgers, by the reason of each."""
    kept = "; ".join(f"{ledger.words}: {why}" for ledger, why in reasons.items())
    return (
        "Another tool keeps a ledger in this database, and preflight is not sure which row it "
        "needs. "
        f"{kept}. That tool does not know what wrangler applies, so it would apply the file again. "
        "Migrate with that tool. If wrangler's ledger only lacks what is applied already, run "
        "preflight adopt. If the tool no longer migrates this database, name the table in "
        "preflight.toml: [migrations] ignore_ledgers."
    )


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    return first(names, _MOST_NAMED)

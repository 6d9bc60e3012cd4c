"""Drafts what is new: a column with its index, or a table with its indexes."""

from collections.abc import Iterator, Sequence

from d1_preflight.core.errors import UsageError
from d1_preflight.core.remedies.patterns.pattern import Draft, Wanted, free_name, name_in, table_of
from d1_preflight.core.schema.schema import Structure
from d1_preflight.core.sql.tokenizer import quote_name, quote_names, tokens

_CONSTRAINTS = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})
_FIRST_COLUMNS = (
    "id TEXT PRIMARY KEY NOT NULL",
    "created_at INTEGER NOT NULL DEFAULT (unixepoch())",
)


def column_draft(wanted: Wanted, now: Structure) -> Draft:
    """ADD COLUMN for each definition; a UNIQUE one is an index, for D1 refuses it otherwise."""
    table = table_of(now, wanted.table)
    if not wanted.columns:
        raise UsageError("Which column?", hint='--column "last_login_at INTEGER"')
    up, down = list[str](), list[str]()
    for definition in wanted.columns:
        name = name_in(definition)
        if table.column(name):
            raise UsageError(
                f"{table.name} already has a column {name}.", hint="Name a new one: --column"
            )
        text, is_unique = _without_unique(definition)
        up.append(f"ALTER TABLE {quote_name(table.name)} ADD COLUMN {text}")
        down.insert(0, f"ALTER TABLE {quote_name(table.name)} DROP COLUMN {quote_name(name)}")
        if is_unique:
            index = free_name(now, f"idx_{table.name}_{name}")
            up.append(_index(index, table.name, (name,), unique=True))
            down.insert(0, f"DROP INDEX {quote_name(index)}")
    for index, sql in _indexes(table.name, now, wanted.columns, wanted.index):
        up.append(sql)
        down.insert(0, f"DROP INDEX {quote_name(index)}")
    gone = ", ".join(name_in(definition) for definition in wanted.columns)
    gap = f"Values written to {table.name}.{gone} since then are dropped with it."
    return Draft(tuple(up), tuple(down), gaps=(gap,))


def table_draft(wanted: Wanted, now: Structure) -> Draft:
    """CREATE TABLE with an index for each foreign key."""
    if not wanted.table:
        raise UsageError("Which table?", hint="--table audit_logs")
    if now.table(wanted.table) or wanted.table.lower() in now.views:
        raise UsageError(
            f"Table {wanted.table} already exists.", hint="Name a new one: --table NAME"
        )
    columns = wanted.columns or _FIRST_COLUMNS
    for definition in columns:
        name_in(definition)
    lines = ",\n".join(f"  {' '.join(definition.split())}" for definition in columns)
    up = [f"CREATE TABLE {quote_name(wanted.table)} (\n{lines}\n)"]
    up += [sql for _, sql in _indexes(wanted.table, now, columns, wanted.index)]
    gap = f"Rows written to {wanted.table} since then are dropped with it."
    return Draft(tuple(up), (f"DROP TABLE {quote_name(wanted.table)}",), gaps=(gap,))


def _indexes(
    table: str, now: Structure, columns: Sequence[str], asked: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """The asked indexes, and one for each foreign key that no constraint indexes."""
    wanted = [tuple(name.strip() for name in index.split(",")) for index in asked]
    known = {found[0].lower() for found in wanted}
    for definition in columns:
        words = [token.word for token in tokens(definition)]
        is_key = "REFERENCES" in words and not _CONSTRAINTS & {words[0], *words[1:]} - {"CHECK"}
        if is_key and name_in(definition).lower() not in known:
            wanted.append((name_in(definition),))
    taken = list[str]()
    for found in wanted:
        name = free_name(now, f"idx_{table}_{'_'.join(found)}", taken)
        taken.append(name)
        yield name, _index(name, table, found)


def _index(name: str, table: str, columns: Sequence[str], *, unique: bool = False) -> str:
    word = "UNIQUE INDEX" if unique else "INDEX"
    return f"CREATE {word} {quote_name(name)} ON {quote_name(table)} ({quote_names(columns)})"


def _without_unique(definition: str) -> tuple[str, bool]:
    """The definition without UNIQUE, and whether it had it."""
    found = [token for token in tokens(definition) if token.word == "UNIQUE"]
    for token in found:
        definition = definition[: token.start] + definition[token.end :]
    return " ".join(definition.split()), bool(found)

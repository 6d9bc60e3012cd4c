"""Runs a migration and its down file on invented rows, and compares what was there before."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, suppress

import apsw

from d1_preflight.core import d1
from d1_preflight.core.remedies.proof import Proof, refusal_of
from d1_preflight.core.remedies.sample_rows import filled_database
from d1_preflight.core.rows.codec import wire
from d1_preflight.core.schema.schema import Schema, Structure, StructureReader, compare
from d1_preflight.core.schema.table import Table, TableKind
from d1_preflight.core.sql.tokenizer import quote_name

_Bag = tuple[str, ...]
_MODES = {
    "full": "rows in every table",
    "gaps": "NULL wherever it is allowed",
    "empty": "empty tables",
}
"""The databases on which it is tried, and what they are called."""


def tried_up_and_down(
    prior: Schema,
    name: str,
    texts: tuple[str, str],
    seeds: Sequence[str] = (),
    free: Collection[str] = (),
) -> Proof:
    """Run both texts on rows of every kind, and once on none.

    `seeds` change the invented rows first; `free` are the columns, as `table.column`, whose values
    need not come back.
    """
    after = _tables_after(prior, texts[0])
    tried = list[str]()
    for mode, words in _MODES.items():
        with closing(_database(prior, mode, after)) as connection:
            for sql in seeds:
                with suppress(apsw.Error):  # a text that the column does not take
                    connection.execute(sql)
            reason = _broken(connection, name, texts, free)
        if reason:
            return Proof(f"{reason} ({words})")
        tried.append(words)
    return Proof(rows=", ".join(tried))


def tried_in_parts(prior: Schema, name: str, whole: str, parts: Sequence[str]) -> Proof:
    """Run a text, and its parts one after the other, on the same rows; compare all that is left."""
    after = _tables_after(prior, whole)
    tried = list[str]()
    for mode, words in _MODES.items():
        one, other = (_database(prior, mode, after) for _ in range(2))
        with closing(one), closing(other):
            refused = refusal_of(one, name, whole)
            reason = "" if refused else _differing(one, other, name, parts)
        if reason:
            return Proof(f"{reason} ({words})")
        tried += [] if refused else [words]
    if len(tried) < 2:  # noqa: PLR2004 - on empty tables alone it is no proof
        return Proof("the file itself is refused on invented rows")
    return Proof(rows=", ".join(tried))


def _differing(
    one: apsw.Connection, other: apsw.Connection, name: str, parts: Sequence[str]
) -> str:
    for number, text in enumerate(parts):
        refused = refusal_of(other, f"{name}.{number}", text)
        if refused:
            return f"D1 would refuse part {number + 1}: {refused}"
    for connection in (one, other):
        connection.execute(f"DROP TABLE IF EXISTS {quote_name(d1.LEDGER)}")
    here, there = _rows(one, ()), _rows(other, ())
    rows = sorted(t for t in {*here, *there} if here.get(t) != there.get(t))
    if rows:
        return f"rows of {', '.join(rows)} differ"
    changes = compare(_schema(one), _schema(other))
    return changes[0].words if changes else ""


def _database(prior: Schema, mode: str, after: tuple[Table, ...]) -> apsw.Connection:
    if mode == "empty":
        connection = apsw.Connection(":memory:")
        prior.build(connection)
        return connection
    return filled_database(prior, gaps=mode == "gaps", later=after)[0]


def _tables_after(prior: Schema, text: str) -> tuple[Table, ...]:
    with closing(apsw.Connection(":memory:")) as connection:
        prior.build(connection)
        refusal_of(connection, "0.sql", text)
        after = Schema.from_connection(connection)
        return tuple(StructureReader(connection).read(after).tables.values())


def _broken(
    connection: apsw.Connection, name: str, texts: tuple[str, str], free: Collection[str]
) -> str:
    """What speaks against the pair; "" where nothing does."""
    schema, rows = _schema(connection), _rows(connection, free)
    for number, text in enumerate(texts):
        what = "its down file" if number else "it"
        refused = refusal_of(connection, f"{name}.{number}", text)
        if refused:
            return f"D1 would refuse {what}: {refused}"
        if not number:
            gone = sorted(rows.keys() - dict(_ordinary(connection)).keys())
            if gone:
                return f"it removes {', '.join(gone)}"
    connection.execute(f"DROP TABLE IF EXISTS {quote_name(d1.LEDGER)}")
    now = _rows(connection, free)
    differing = sorted(t for t in {*rows, *now} if rows.get(t) != now.get(t))
    if differing:
        return f"after the down file, rows of {', '.join(differing)} differ"
    changes = [
        change.words
        for change in compare(schema, _schema(connection))
        if change.name.lower() not in free
    ]
    return f"after the down file, {changes[0]}" if changes else ""


def _schema(connection: apsw.Connection) -> Structure:
    return StructureReader(connection).read(Schema.from_connection(connection).without(d1.LEDGER))


def _ordinary(connection: apsw.Connection) -> Iterator[tuple[str, Table]]:
    for name, table in _schema(connection).tables.items():
        if table.kind is TableKind.ORDINARY and not name.startswith(d1.LEDGER):
            yield name, table


def _rows(connection: apsw.Connection, free: Collection[str]) -> dict[str, _Bag]:
    """The rows of each table, in any order, without columns that are free or generated."""
    found = dict[str, _Bag]()
    for name, table in _ordinary(connection):
        chosen = [c for c in table.data_columns if f"{name}.{c.lower()}" not in free]
        listed = ", ".join(wire(quote_name(name)) for name in chosen) or "1"
        rows = connection.execute(f"SELECT {listed} FROM {quote_name(table.name)}")
        found[name] = tuple(sorted(repr(row) for row in rows))
    return found

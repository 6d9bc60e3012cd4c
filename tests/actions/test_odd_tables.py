"""Tables as people make them: keyless, WITHOUT ROWID, generated, odd cells, written by a trigger.

Somebody changes one cell between backup and apply: where the migration touches or reads it, held.
"""

import pytest

from actions.conftest import Walked
from actions.fake_target import CHECKLIST, Bench
from d1_preflight.actions.preconditions import recheck, signed_plan
from d1_preflight.core.record.apply_facts import ApplyFacts
from d1_preflight.core.record.record import Status

EARLIER = """CREATE TABLE kinds(code TEXT PRIMARY KEY, rate REAL, big INTEGER) WITHOUT ROWID;
CREATE TABLE items(id INTEGER PRIMARY KEY, code TEXT, price REAL, raw BLOB, total REAL
  GENERATED ALWAYS AS (price * 2) STORED, half REAL GENERATED ALWAYS AS (price / 2) VIRTUAL);
CREATE TABLE notes(what, at);
CREATE TABLE trail(item INTEGER, was REAL);
CREATE TABLE unread(id INTEGER PRIMARY KEY, v TEXT);
CREATE TRIGGER kept AFTER UPDATE ON items BEGIN INSERT INTO trail VALUES (old.id, old.price); END;
"""
ROWS = """INSERT INTO kinds VALUES ('a', 1.5, 9007199254740993), ('b', -0.0, -9223372036854775808);
INSERT INTO items(id, code, price, raw) VALUES (1, 'a', 0.1, x'00ff'), (2, 'b', 1e308, NULL),
  (3, 'b', 5, x'');
INSERT INTO notes VALUES ('x', 1), ('x', 1), (NULL, NULL), (2.5, x'61');
INSERT INTO trail VALUES (9, 9.5);
INSERT INTO unread VALUES (1, 'one');"""

MIGRATIONS = {
    "writes": ("transformative", "UPDATE items SET price = price + 1;\n"),
    "reads": (
        "transformative",
        "UPDATE items SET price = (SELECT rate FROM kinds k WHERE k.code = items.code);\n",
    ),
    "keyless": ("transformative", "UPDATE notes SET at = 5 WHERE what = 'x';\n"),
    "no rowid": ("destructive", "ALTER TABLE kinds DROP COLUMN big;\n"),
    "loses by another": (
        "destructive",
        "DELETE FROM items WHERE code IN (SELECT code FROM kinds WHERE rate > 1);\n",
    ),
}
CHANGES = {
    "kinds": (
        "UPDATE kinds SET big = big + 1 WHERE code = 'a'",
        "UPDATE kinds SET big = big + 1 WHERE code = 'b'",
        "UPDATE kinds SET rate = 1.5000000000000002 WHERE code = 'a'",
        "UPDATE kinds SET rate = NULL WHERE code = 'b'",
        "UPDATE kinds SET code = 'A' WHERE code = 'a'",
    ),
    "items": (
        "UPDATE items SET price = 0.10000000000000002 WHERE id = 1",
        "UPDATE items SET raw = x'00fe' WHERE id = 1",
        "UPDATE items SET raw = x'' WHERE id = 2",
        "UPDATE items SET raw = '' WHERE id = 3",
        "UPDATE items SET code = NULL WHERE id = 3",
    ),
    "notes": (
        "UPDATE notes SET at = 1.5 WHERE rowid = 2",
        "UPDATE notes SET at = '1' WHERE rowid = 1",
        "UPDATE notes SET what = 0 WHERE rowid = 3",
        "UPDATE notes SET at = 'a' WHERE rowid = 4",
        "DELETE FROM notes WHERE rowid = 2",
    ),
    "trail": ("UPDATE trail SET was = 9.25", "DELETE FROM trail"),
    "unread": ("UPDATE unread SET v = 'two'",),
}
DECIDES = {
    "writes": {"items", "trail"},
    "reads": {"items", "trail", "kinds"},
    "keyless": {"notes"},
    "no rowid": {"kinds"},
    "loses by another": {"items", "kinds"},
}


async def at_apply(walked: Walked, name: str) -> Bench:
    kind, sql = MIGRATIONS[name]
    bench: Bench = await walked("applied", sql, kind, earlier=EARLIER, rows=ROWS)
    return bench


SUITE = ("no rowid",)
"""The others have a test below or in test_moved_matrix; "writes" decides no more than "reads"."""


@pytest.mark.parametrize(
    "tried",
    [slice(1), pytest.param(slice(None), marks=pytest.mark.matrix)],
    ids=["a cell of each table", "every cell"],
)
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in SUITE else pytest.mark.matrix) for name in MIGRATIONS],
)
async def test_any_changed_cell_holds_it_where_it_decides_and_none_ends_well(
    walked: Walked, name: str, tried: slice
) -> None:
    bench = await at_apply(walked, name)
    context = bench.session.context(CHECKLIST.step("applied"))
    plan = signed_plan(context)
    for table, changes in CHANGES.items():
        for sql in changes[tried]:
            bench.target.connection.execute("SAVEPOINT before")
            bench.target.connection.execute(sql)
            expected = {table, "trail"} if table == "items" else {table}
            found = await recheck(context, plan)
            assert set(found.moved) == expected & DECIDES[name], sql
            assert set(found.elsewhere) == expected - DECIDES[name], sql
            bench.target.connection.execute("ROLLBACK TO before")
    bench.target.connection.execute("RELEASE before")

    await bench.walk("close")

    for step in ("restored", "applied", "schema", "rows"):
        ended = bench.session.attempt(step)
        assert ended is not None
        assert ended.status is Status.PROVED, ended.words
    assert (await bench.step("close")).status is Status.ATTESTED


async def test_what_only_decides_is_read_again_and_rehearsed_with(walked: Walked) -> None:
    bench = await at_apply(walked, "reads")
    bench.target.connection.execute("UPDATE kinds SET rate = 7 WHERE code = 'b'")
    held = await bench.step("applied")
    assert held.words.startswith(
        "Stopped, nothing was sent: since the copy, values changed in kinds"
    )

    attempt = await bench.step("applied")

    assert attempt.status is Status.PROVED, attempt.words
    assert "kinds" in ApplyFacts.from_attempt(attempt).rehearsed_again
    assert bench.query("SELECT price FROM items WHERE id > 1") == [(7.0,), (7.0,)]
    await bench.walk("endpoints")
    rows = bench.session.attempt("rows")
    assert rows is not None
    assert rows.status is Status.PROVED


async def test_more_loss_by_rows_elsewhere_than_was_signed_is_not_applied(walked: Walked) -> None:
    bench = await at_apply(walked, "loses by another")
    bench.target.connection.execute("UPDATE kinds SET rate = 5 WHERE code = 'b'")
    assert (await bench.step("applied")).status is Status.FAILED

    attempt = await bench.step("applied")

    assert "loses more in items than was signed" in attempt.words
    assert "apply" not in bench.target.commands

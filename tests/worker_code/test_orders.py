"""The verdict: which order is safe, what to do, and what nobody saw."""

import json

import pytest

from code_in_memory import verdict_of
from d1_preflight.code.expression import Expression
from d1_preflight.code.facts import FileFacts
from d1_preflight.code.kept import from_json, to_json
from d1_preflight.code.proposal import proposal
from d1_preflight.code.verdict import Verdict, masked
from d1_preflight.core.checklist.answers import Order

BEFORE = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, role TEXT);"
OLD = {"a.ts": "db.prepare('SELECT name FROM users')"}
NEW = {"a.ts": "db.prepare('SELECT full_name FROM users')"}
NEITHER = {"a.ts": "db.prepare('SELECT id FROM users')"}
ADD = "ALTER TABLE users ADD COLUMN full_name TEXT;"
DROP = "ALTER TABLE users DROP COLUMN name;"
RENAME = "ALTER TABLE users RENAME COLUMN name TO full_name;"


@pytest.mark.parametrize(
    ("migration", "deployed", "new", "order"),
    [
        (ADD, OLD, OLD, Order.ANY),
        (ADD, OLD, NEW, Order.DATABASE_FIRST),
        (DROP, OLD, NEITHER, Order.CODE_FIRST),
        (DROP, NEITHER, NEITHER, Order.ANY),
        (RENAME, OLD, NEW, Order.SPLIT),
        (RENAME, OLD, NEITHER, Order.CODE_FIRST),
        (RENAME, NEITHER, NEW, Order.DATABASE_FIRST),
        (DROP, OLD, OLD, Order.SPLIT),
        (DROP, NEITHER, OLD, Order.SPLIT),
    ],
)
def test_the_order_follows_from_the_queries(
    migration: str, deployed: dict[str, str], new: dict[str, str], order: Order
) -> None:
    verdict = verdict_of(deployed, migration, before=BEFORE, new=new)

    assert verdict.order is order
    assert verdict.is_proved


def test_a_split_names_both_halves_and_the_queries_to_change() -> None:
    steps = proposal(verdict_of(OLD, RENAME, before=BEFORE, new=NEW))

    text = "\n".join(steps)
    assert "Expand" in steps[0]
    assert "users.full_name" in steps[0]
    assert "a.ts:1" in text
    assert "Contract" in steps[-1]
    assert "users.name" in steps[-1]


def test_code_that_was_not_changed_is_not_sent_ahead() -> None:
    steps = proposal(verdict_of(OLD, DROP, before=BEFORE, new=OLD))

    assert "The new code breaks on the new schema too. Change a.ts:1." in steps


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            {**OLD, "b.ts": "import { drizzle } from 'drizzle-orm/d1'"},
            "drizzle: the queries of 1 file",
        ),
        ({**OLD, "b.ts": "db.prepare(await load())"}, "1 query of memory could not be read"),
        ({}, "no query was found"),
        (
            {**OLD, "b.js": "!function(){" + "a=a+1;" * 2000 + "}()"},
            "1 file of memory not read in full",
        ),
        ({**OLD, "b.js": "x" * 1_100_000}, "1 file of memory not read in full"),
    ],
)
def test_unseen_queries_are_unknown_and_never_a_pass(files: dict[str, str], words: str) -> None:
    verdict = verdict_of(files, RENAME, before=BEFORE)

    assert any(words in unseen for unseen in verdict.unseen)
    assert not verdict.is_proved


def test_what_no_query_can_miss_harms_none_that_was_not_seen() -> None:
    files = {"b.ts": "import { drizzle } from 'drizzle-orm/d1'"}

    assert verdict_of(files, "CREATE TABLE tags (id INTEGER)", before=BEFORE).is_proved
    assert not verdict_of(files, "CREATE UNIQUE INDEX u ON users (name)", before=BEFORE).is_proved


def test_tables_that_the_code_makes_itself_belong_to_both_schemas() -> None:
    files = {
        "a.ts": "db.exec('CREATE TABLE IF NOT EXISTS own (a TEXT, b TEXT)');\n"
        "db.prepare('SELECT a FROM own JOIN users')"
    }

    verdict = verdict_of(files, "ALTER TABLE users ADD COLUMN a TEXT", before=BEFORE)

    assert [query.words for query in verdict.deployed.harmed] == ["ambiguous column name: a"]


def test_code_that_makes_its_own_columns_may_find_them_made() -> None:
    files = {
        "a.ts": "db.exec('ALTER TABLE users ADD COLUMN age INTEGER');\n"
        "db.prepare(`CREATE INDEX by_age ON users (age)`); db.prepare('SELECT id FROM users')"
    }

    verdict = verdict_of(files, "ALTER TABLE users ADD COLUMN age INTEGER", before=BEFORE)

    assert verdict.order is Order.ANY


def test_a_table_that_is_dropped_is_gone_though_the_code_would_make_it_again() -> None:
    files = {
        "a.ts": "db.exec('CREATE TABLE IF NOT EXISTS users (id INTEGER, name TEXT)');\n"
        "db.prepare('SELECT name FROM users')"
    }

    verdict = verdict_of(files, "DROP TABLE users", before=BEFORE)

    assert [query.line for query in verdict.deployed.harmed] == [2]


@pytest.mark.parametrize(
    "source",
    [
        "db.prepare(`SELECT name FROM users WHERE id IN (${marks})`)",
        "db.prepare(`SELECT name FROM users ${where} ORDER BY ${order} LIMIT ${n}`)",
        "db.prepare(`UPDATE users SET ${sets.join(', ')}, name = ? WHERE id = ?`)",
        "db.prepare(`INSERT INTO users (${columns}, name) VALUES (${marks}, ?)`)",
        "db.prepare(`SELECT ${columns}, name FROM users WHERE role = '${role}'`)",
        "db.prepare(`SELECT name FROM users WHERE id = ${id} AND ${rest}`)",
        "db.prepare(`SELECT name FROM users ${tail}`)",
    ],
)
def test_a_hole_is_tried_in_the_forms_that_it_can_take(source: str) -> None:
    verdict = verdict_of({"a.ts": source}, DROP, before=BEFORE, new=NEITHER)

    assert len(verdict.deployed.harmed) == 1
    assert "name" in verdict.deployed.harmed[0].words


@pytest.mark.parametrize(
    "source",
    [
        "db.prepare(`SELECT id FROM ${table} WHERE id = ?`)",
        "db.prepare(`SELECT ${columns} FROM users WHERE ${where}`)",
        "db.prepare(`DELETE FROM ${table}`)",
    ],
)
def test_a_hole_that_could_hold_anything_accuses_nobody(source: str) -> None:
    before = f"{BEFORE} CREATE TABLE logs (id INTEGER PRIMARY KEY, name TEXT);"

    verdict = verdict_of({"a.ts": source}, DROP, before=before)

    assert verdict.deployed.harmed == ()
    assert verdict.deployed.coverage.filled == 1


def test_a_query_that_no_text_completes_still_names_its_tables() -> None:
    source = "db.prepare(`SELECT name FROM users WHERE x${a}y(${b}, z) ${c}`)"

    verdict = verdict_of({"a.ts": source}, "DROP TABLE users", before=BEFORE)

    assert [query.words for query in verdict.deployed.harmed] == ["no such table: users"]
    assert verdict.deployed.coverage.partly == 1


def test_the_new_code_reads_a_literal_that_the_rows_do_not_hold_yet() -> None:
    old = {"a.ts": "db.prepare(`SELECT id FROM users WHERE role = 'OWNER'`)"}
    new = {"a.ts": "db.prepare(`SELECT id FROM users WHERE role = 'owner'`)"}
    both = {"a.ts": "db.prepare(`SELECT id FROM users WHERE role IN ('owner', 'OWNER')`)"}
    migration = "UPDATE users SET role = 'owner' WHERE role = 'OWNER'"

    assert verdict_of(old, migration, before=BEFORE, new=new).order is Order.SPLIT
    assert verdict_of(both, migration, before=BEFORE, new=new).order is Order.ANY
    assert verdict_of(old, migration, before=BEFORE, new=both).order is Order.CODE_FIRST


def test_a_verdict_goes_to_json_and_back() -> None:
    verdict = verdict_of(OLD, RENAME, before=BEFORE, new=NEW)

    kept = json.dumps(to_json(Verdict, verdict))

    assert from_json(Verdict, json.loads(kept)) == verdict


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (Verdict, 5),
        (Verdict, [["a"]]),
        (Expression, ["Nothing", "a"]),
        (Expression, ["Text", "a", "b"]),
        (Expression, ["Join", 5]),
        (FileFacts, [[], "functions", [], {}, [], "", [], []]),
    ],
)
def test_what_json_holds_of_no_value_is_refused(kind: object, raw: object) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        from_json(kind, raw)


def test_a_record_keeps_no_literal() -> None:
    text = "SELECT 'a@b.c', 12 FROM t -- for a@b.c\nWHERE x = 'it''s'"

    assert masked(text) == "SELECT '…', … FROM t  \nWHERE x = '…'"


OWNERS = "UPDATE users SET role = 'owner' WHERE role = 'OWNER'"


@pytest.mark.parametrize(
    "source",
    [
        "db.prepare('SELECT id FROM users WHERE role = ?').bind('OWNER')",
        "db.prepare('SELECT id FROM users WHERE id > ? AND role = ?').bind(id, 'OWNER').first()",
        "db.prepare('SELECT id FROM users WHERE role = ?2 AND id > ?1').bind(id, 'OWNER')",
        "const ROLE = 'OWNER';\ndb.prepare('SELECT id FROM users WHERE role IN (?)').bind(ROLE)",
        "db.prepare('INSERT INTO users(id, role) VALUES (?, ?)').bind(1, `OWNER`).run()",
        "import { Q } from './q';\ndb.prepare(Q).bind('OWNER')",
    ],
)
def test_a_literal_that_is_bound_is_one_of_the_query(source: str) -> None:
    files = {"a.ts": source, "q.ts": "export const Q = 'SELECT id FROM users WHERE role = ?';"}

    found = verdict_of(files, OWNERS, before=BEFORE)

    assert [query.words.partition(":")[0] for query in found.deployed.harmed] == [
        "users.role is no longer 'OWNER'"
    ]


@pytest.mark.parametrize(
    "bound",
    ["id", "'owner'", "id, 'OWNER'", "...given", "...given, 'OWNER'", "", "x ? 'OWNER' : y"],
)
def test_what_is_bound_elsewhere_is_no_literal(bound: str) -> None:
    files = {"a.ts": f"db.prepare('SELECT id FROM users WHERE role = ?').bind({bound})"}

    found = verdict_of(files, OWNERS, before=BEFORE)

    assert found.deployed.harmed == ()

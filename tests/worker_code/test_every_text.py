"""Of a query that can have several texts each one is tried, or the query is said to be unseen."""

from collections.abc import Callable

import pytest

from code_in_memory import code_of, verdict_of
from d1_preflight.code.forms import MOST_FORMS, forms_of
from d1_preflight.code.literals import MOST_VALUES, rewritten
from d1_preflight.core.analysis import schema_after
from d1_preflight.core.project.migration import Migration
from sampling import sampled

BASE = """
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, state TEXT);
CREATE TABLE logs (id INTEGER PRIMARY KEY);
"""
RENAME = "ALTER TABLE users RENAME COLUMN name TO title"
BROKEN = "SELECT name FROM users"
FEW, MANY, TOO_MANY = 10, MOST_FORMS - 10, MOST_FORMS + 10


def looked_up(number: int, last: str) -> str:
    texts = "".join(f"k{n}: 'SELECT {n} FROM logs',\n" for n in range(number))
    return f"const Q = {{ {texts} last: '{last}' }}; export const f = (k) => DB.prepare(Q[k]);"


def switched(number: int, last: str) -> str:
    cases = "".join(f"case {n}: q = 'SELECT {n} FROM logs'; break;\n" for n in range(number))
    return (
        f"export function f(k) {{ let q; switch (k) {{ {cases} default: q = '{last}' }} "
        "return DB.prepare(q) }"
    )


def put_together(number: int, last: str) -> str:
    parts = "".join(f"if (a{n}) {{ q += ' AND id <> {n}' }}\n" for n in range(number))
    return (
        f"export function f() {{ let q = 'SELECT 1 FROM logs WHERE 1'; {parts} "
        f"if (z) {{ q += ' AND id IN ({last})' }} return DB.prepare(q) }}"
    )


def in_a_list(number: int, last: str) -> str:
    parts = "".join(f"if (a{n}) {{ w.push('id <> {n}') }}\n" for n in range(number))
    return (
        f"export function f() {{ const w = []; {parts} if (z) {{ w.push('id IN ({last})') }} "
        "return DB.prepare('SELECT 1 FROM logs WHERE ' + w.join(' AND ')) }"
    )


Shape = Callable[[int, str], str]
SHAPES: tuple[Shape, ...] = (looked_up, switched, put_together, in_a_list)


@pytest.mark.parametrize("shape", sampled(SHAPES, 2))
@pytest.mark.parametrize("number", [FEW, MANY, TOO_MANY])
def test_the_last_of_many_texts_is_tried_or_said_to_be_unseen(shape: Shape, number: int) -> None:
    deployed = verdict_of({"a.ts": shape(number, BROKEN)}, RENAME, before=BASE).deployed

    assert deployed.harmed or deployed.unread


@pytest.mark.parametrize("shape", [looked_up, switched])
def test_as_many_texts_as_are_tried_are_all_tried(shape: Shape) -> None:
    deployed = verdict_of({"a.ts": shape(MOST_FORMS - 1, BROKEN)}, RENAME, before=BASE).deployed

    assert deployed.harmed
    assert not deployed.unread


@pytest.mark.parametrize("shape", [looked_up, switched])
def test_more_texts_than_are_tried_are_said_where_they_run(shape: Shape) -> None:
    deployed = verdict_of({"a.ts": shape(TOO_MANY, BROKEN)}, RENAME, before=BASE).deployed

    assert [one.why for one in deployed.unread] == [
        f"can be more than {MOST_FORMS} texts, and so many are tried: SELECT 0 FROM logs"
    ]
    assert deployed.coverage.partly == 1


@pytest.mark.parametrize(
    "text",
    [
        "k ? 'SELECT id FROM logs' : build(k)",
        "k ? build(k) : 'SELECT id FROM logs'",
        "k || 'SELECT id FROM logs'",
        "k ?? 'SELECT id FROM logs'",
        "({ a: 'SELECT id FROM logs', b: build(k) })[k]",
        "[build(k), 'SELECT id FROM logs'][k]",
    ],
)
def test_a_text_that_is_built_elsewhere_is_said_beside_one_that_is_known(text: str) -> None:
    source = f"import {{ build }} from 'lib'; export const f = (k) => DB.prepare({text});"

    deployed = verdict_of({"a.ts": source}, RENAME, before=BASE).deployed

    assert [one.why for one in deployed.unread] == [
        "has a text that is built elsewhere, beside: SELECT id FROM logs"
    ]
    assert deployed.coverage.partly == 1


def test_a_text_whose_parts_cannot_be_resolved_is_said_beside_one_that_is_known() -> None:
    source = (
        "export const f = (k, w, a) => DB.prepare(k ? `SELECT id FROM logs WHERE ${w}` "
        ": `SELECT name ${a} BETWEEN users ${a} (`);"
    )

    deployed = verdict_of({"a.ts": source}, RENAME, before=BASE).deployed

    assert deployed.coverage.partly == 1
    assert [one.why for one in deployed.unread] == [
        "its variable parts could not be resolved: SELECT name ${} BETWEEN users ${} ("
    ]


def test_a_text_that_is_set_on_one_way_only_is_said() -> None:
    source = (
        "import { build } from 'lib'; export function f(k) { let q = 'SELECT id FROM logs'; "
        "if (k) { q = build(k) } return DB.prepare(q) }"
    )

    deployed = verdict_of({"a.ts": source}, RENAME, before=BASE).deployed

    assert deployed.unread


@pytest.mark.parametrize("shape", [looked_up, switched])
@pytest.mark.parametrize("number", [FEW, MANY])
def test_a_value_that_goes_is_found_in_the_last_of_many_texts(shape: Shape, number: int) -> None:
    last = 'SELECT id FROM users WHERE state = "old"'.replace('"', "\\'")
    migration = "UPDATE users SET state = 'new' WHERE state = 'old'"

    deployed = verdict_of({"a.ts": shape(number, last)}, migration, before=BASE).deployed

    assert ["state" in one.words for one in deployed.breaks] == [True]


def test_the_forms_of_a_query_are_bounded() -> None:
    code = code_of({"a.ts": put_together(TOO_MANY, BROKEN)})

    found = forms_of(code.queries[0].sql)

    assert len(found) == MOST_FORMS + 1
    assert len(str(found[0][0])) > TOO_MANY * len(" AND id <> 1")


@pytest.mark.parametrize("optional", [0, 2, 6, 20])
def test_texts_that_are_chosen_together_are_tried_together(optional: int) -> None:
    parts = "".join(f"if (a{n}) {{ q += ' AND id <> {n}' }}\n" for n in range(optional))
    source = f"""
    export function f(k) {{
      const columns = k === 1 ? 'id' : k === 2 ? 'name' : 'count(*)';
      const table = k === 1 ? 'logs' : k === 2 ? 'users' : 'others';
      let q = 'SELECT ' + columns + ' FROM ' + table + ' WHERE 1';
      {parts} return DB.prepare(q)
    }}"""
    before = f"{BASE} CREATE TABLE others (id INTEGER);"

    deployed = verdict_of({"a.ts": source}, RENAME, before=before).deployed

    assert deployed.harmed


@pytest.mark.parametrize("number", [10, 500])
def test_a_value_that_goes_is_found_among_any_number_of_others(number: int) -> None:
    others = "".join(asking(f"s{n}") for n in range(number))
    migration = "UPDATE users SET state = 'new' WHERE state = 'zero'"

    deployed = verdict_of({"a.ts": others + asking("zero")}, migration, before=BASE).deployed

    assert ["users.state is no longer 'zero'" in one.words for one in deployed.breaks] == [True]


@pytest.mark.parametrize("number", [10, 1_000])
def test_a_value_that_goes_is_found_whatever_else_the_migration_names(number: int) -> None:
    named = ", ".join(f"'s{n}'" for n in range(number))
    migration = (
        f"DELETE FROM users WHERE name IN ({named});\n"
        "UPDATE users SET state = 'zoo' WHERE state = 'zero';"
    )
    fresh = {"a.ts": asking("zoo")}

    verdict = verdict_of({"a.ts": asking("zero")}, migration, before=BASE, new=fresh)

    assert ["no longer 'zero'" in one.words for one in verdict.deployed.breaks] == [True]
    assert ["not yet 'zoo'" in one.words for one in verdict.new.breaks] == [True]


def test_rows_that_a_migration_brings_are_no_values_that_it_changes() -> None:
    rows = ", ".join(f"({n}, 's{n}', 'old')" for n in range(MOST_VALUES + 1))
    migration = (
        f"INSERT INTO users VALUES {rows};\nUPDATE users SET state = 'new' WHERE state = 'old';"
    )

    verdict = verdict_of({"a.ts": asking("old")}, migration, before=BASE)

    assert verdict.deployed.harmed
    assert verdict.problems == ()


def test_more_values_than_are_followed_are_said() -> None:
    named = ", ".join(f"'s{n}'" for n in range(MOST_VALUES + 1))
    migration = f"UPDATE users SET state = 'new' WHERE state IN ({named});"

    verdict = verdict_of({"a.ts": asking("s1")}, migration, before=BASE)

    assert verdict.problems == (
        f"only {MOST_VALUES:,} of the values that queries and migrations name were followed",
    )
    assert not verdict.is_proved


@pytest.mark.parametrize(("statements", "limit"), [(1, 2_000_000), (20, 80_000)])
def test_a_migration_that_takes_too_long_on_planted_rows_is_said(
    statements: int, limit: int
) -> None:
    long = (
        f"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT {limit}) "
        "UPDATE users SET state = upper(state) WHERE 0 < (SELECT max(n) FROM c);\n"
    )

    verdict = verdict_of({"a.ts": asking("old")}, long * statements, before=BASE)

    assert verdict.problems == (
        "the migration does more than was followed: what becomes of values is not known",
    )


def test_a_migration_that_changes_values_can_harm_a_query_that_nobody_saw() -> None:
    unseen = {"a.ts": "import { q } from 'lib'; export const f = () => DB.prepare(q());"}
    renamed = "UPDATE users SET state = 'new' WHERE state = 'old'"
    filled = "UPDATE users SET state = 'new' WHERE state IS NULL"

    assert not verdict_of(unseen, renamed, before=BASE).is_proved
    assert verdict_of(unseen, filled, before=BASE).is_proved


def asking(state: str) -> str:
    query = f"SELECT id FROM users WHERE state = '{state}'"
    return f'export const f_{state} = () => DB.prepare("{query}");\n'


def test_values_that_have_no_room_are_said() -> None:
    before = schema_after([Migration.from_text("0001_base.sql", BASE)])
    wanted = {("users", "state", f"{number:03}{'x' * 90_000}") for number in range(800)}

    found = rewritten(before, ("UPDATE users SET state = 'new'",), wanted)

    assert len(found.values) == len(wanted) or found.problems

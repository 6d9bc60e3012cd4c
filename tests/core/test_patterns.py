"""New migrations for one's own tables: no row is lost, the down file exact, the linter content."""

from functools import cache

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d1_preflight.core import d1
from d1_preflight.core.analysis import analyse, schema_after
from d1_preflight.core.engine.trial import run_as_d1
from d1_preflight.core.errors import UsageError
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.recovery.down import draft_down
from d1_preflight.core.remedies.patterns.files import Request, Written, drafts, written_files
from d1_preflight.core.remedies.patterns.pattern import Pattern, Wanted
from d1_preflight.core.remedies.patterns.trial import tried_up_and_down
from d1_preflight.core.schema.schema import Schema, structure
from law_size import examples
from test_differential import World, worlds

BASE = """
CREATE TABLE users(id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, role TEXT DEFAULT 'USER');
CREATE TABLE teams(id TEXT PRIMARY KEY NOT NULL, domain TEXT NOT NULL UNIQUE,
  name TEXT COLLATE NOCASE, owner_id TEXT NOT NULL REFERENCES users(id), plan TEXT, old TEXT,
  CHECK (length(name) > 0));
CREATE TABLE members(id INTEGER PRIMARY KEY AUTOINCREMENT,
  team TEXT NOT NULL REFERENCES teams(id) ON DELETE CASCADE, role TEXT);
CREATE TABLE notes(member INTEGER REFERENCES members(id) ON DELETE SET NULL, body TEXT);
CREATE INDEX teams_owner ON teams(owner_id);
CREATE INDEX teams_name ON teams(name) WHERE name IS NOT NULL;
CREATE TRIGGER teams_touch AFTER UPDATE ON teams BEGIN
  UPDATE members SET role = role WHERE team = NEW.id; END;
CREATE VIEW team_names AS SELECT id, name FROM teams;
"""
CODE = ("src/index.ts:3",)


@cache
def prior_of(sql: str) -> Schema:
    return schema_after([Migration.from_text("0001_prior_state.sql", sql)])


def down(migration: Migration, prior: Schema) -> tuple[str, tuple[str, ...]]:
    drafted = draft_down(migration, prior)
    return drafted.sql, drafted.gaps


@cache
def written(wanted: Wanted, base: str = BASE) -> tuple[Written, ...]:
    prior = prior_of(base)
    found = drafts(wanted, structure(prior))
    names = [f"{n:04}_change_it_{draft.suffix or 'all'}.sql" for n, draft in enumerate(found, 2)]
    return written_files(found, names, Request(prior, (), "what it is for", down))


WISHES = {
    "column": Wanted(Pattern.COLUMN, "users", ("seen INTEGER", "team TEXT REFERENCES teams(id)")),
    "unique column": Wanted(Pattern.COLUMN, "users", ("slug TEXT UNIQUE",)),
    "table": Wanted(Pattern.TABLE, "logs", ("id TEXT PRIMARY KEY NOT NULL",
                    "user_id TEXT NOT NULL REFERENCES users(id)"), index=("user_id, id",)),
    "first table": Wanted(Pattern.TABLE, "logs"),
    "rename": Wanted(Pattern.RENAME, "teams", column="name", to="title"),
    "rename in two": Wanted(Pattern.RENAME, "teams", column="name", to="title", code=CODE),
    "rename needed": Wanted(Pattern.RENAME, "teams", column="domain", to="host", code=CODE),
    "drop": Wanted(Pattern.REBUILD, "teams", drop=("old",), reason="nobody reads it"),
    "drop in the way": Wanted(Pattern.REBUILD, "teams", drop=("plan",), reason="nobody reads it",
                              columns=("name TEXT COLLATE NOCASE CHECK (name <> '')",)),
    "rebuild": Wanted(Pattern.REBUILD, "teams", ("plan TEXT NOT NULL DEFAULT 'free'", "x INT")),
    "rebuild the root": Wanted(Pattern.REBUILD, "users", ("role TEXT NOT NULL DEFAULT 'user'",)),
    "pairs": Wanted(Pattern.DATA, "users", column="role", pairs=(("OWNER", "own"), ("own", "x"))),
    "expression": Wanted(Pattern.DATA, "members", column="role", expression="lower(role)"),
    "some rows": Wanted(Pattern.DATA, "notes", column="body", expression="trim(body)",
                        where="body <> ''"),
}  # fmt: skip


OF_A_KIND = {
    *("unique column", "first table", "rename needed", "rebuild the root", "some rows"),
    *("rename", "drop in the way", "expression"),
}
"""What another wish does as well, with other tables: the suite leaves these to the matrix."""


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param(wanted, id=name, marks=pytest.mark.matrix if name in OF_A_KIND else ())
        for name, wanted in WISHES.items()
    ],
)
def test_what_is_written_has_its_header_passes_the_linter_and_comes_with_a_down_file(
    wanted: Wanted,
) -> None:
    now, siblings = prior_of(BASE), list[Migration]()
    for file in written(wanted):
        migration = Migration.from_text(file.name, file.text)
        found = analyse(migration, now, (*siblings, migration))
        assert migration.header.missing == ()
        assert found.blocking == ()
        assert found.engine.refused == ()
        assert {f.rule for f in found.findings} & {
            "index-forgotten", "trigger-forgotten", "declared-type-differs", "critical-missing"
        } == set()  # fmt: skip
        assert Migration.from_text("down.sql", file.down).header.missing == ()
        assert file.rows.startswith("rows in every table")
        siblings.append(migration)
        now = schema_after([migration], now)


def text_of(wish: str) -> str:
    return "\n".join(file.text for file in written(WISHES[wish]))


def test_the_rebuild_keeps_every_descendant_index_trigger_and_view() -> None:
    text = text_of("rebuild")
    for part in ("_park_members", "_park_notes", "INDEX teams_owner", "INDEX teams_name",
                 "TRIGGER teams_touch", "VIEW team_names", "CHECK (length(name) > 0)"):  # fmt: skip
        assert part in text, part


def test_a_plain_drop_is_done_in_place_and_declared() -> None:
    assert 'ALTER TABLE "teams" DROP COLUMN "old";' in text_of("drop")
    assert "-- preflight: loses teams.old — nobody reads it" in text_of("drop")


def test_the_pair_keeps_both_names_alike_in_between() -> None:
    expand, contract = written(WISHES["rename in two"])
    connection = apsw.Connection(":memory:")
    connection.execute(BASE)
    connection.execute("INSERT INTO users VALUES ('u', 'e', 'r')")
    connection.execute("INSERT INTO teams(id, domain, name, owner_id) VALUES ('a','d','One','u')")
    run_as_d1(connection, expand.text, "1.sql", ledger=d1.LEDGER, clock=lambda: 0.0)
    steps = (
        ("INSERT INTO teams(id, domain, name, owner_id) VALUES ('b', 'e', 'Two', 'u')", "b", "Two"),
        (
            "INSERT INTO teams(id, domain, title, owner_id) VALUES ('c', 'f', 'Tri', 'u')",
            "c",
            "Tri",
        ),
        ("UPDATE teams SET name = 'ONE' WHERE id = 'a'", "a", "ONE"),
        ("UPDATE teams SET title = 'one' WHERE id = 'a'", "a", "one"),
        ("UPDATE teams SET name = NULL WHERE id = 'b'", "b", None),
    )
    for sql, key, value in steps:
        connection.execute(sql)
        row = next(connection.execute("SELECT name, title FROM teams WHERE id = ?", (key,)))
        assert row == (value, value), sql
    run_as_d1(connection, contract.text, "2.sql", ledger=d1.LEDGER, clock=lambda: 0.0)
    assert list(connection.execute("SELECT title FROM teams ORDER BY id")) == [
        ("one",), (None,), ("Tri",)
    ]  # fmt: skip
    assert schema_is_renamed(connection)


def schema_is_renamed(connection: apsw.Connection) -> bool:
    """Whether nothing is left of the step in between."""
    plain = apsw.Connection(":memory:")
    plain.execute(f'{BASE}; ALTER TABLE teams RENAME COLUMN "name" TO "title"')
    query = (
        "SELECT name, sql FROM sqlite_schema WHERE sql > '' AND tbl_name NOT LIKE 'd1_%' ORDER BY 1"
    )
    return list(plain.execute(query)) == list(connection.execute(query))


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Wanted(Pattern.COLUMN, "nobody", ("a",)), "No migration creates a table 'nobody'"),
        (Wanted(Pattern.COLUMN, ""), "Which table"),
        (Wanted(Pattern.COLUMN, "users"), "Which column"),
        (Wanted(Pattern.COLUMN, "users", ("role TEXT",)), "already has a column role"),
        (Wanted(Pattern.COLUMN, "users", ("a INTEGER NOT NULL",)), "add-column-not-null"),
        (Wanted(Pattern.COLUMN, "users", ("a INT; DROP TABLE teams",)), "not a column definition"),
        (Wanted(Pattern.COLUMN, "team_names", ("a",)), "No migration creates a table"),
        (Wanted(Pattern.TABLE, "users"), "Table users already exists"),
        (Wanted(Pattern.RENAME, "teams", column="nme", to="x"), "has no column 'nme'"),
        (Wanted(Pattern.RENAME, "teams", column="name"), "be called"),
        (Wanted(Pattern.RENAME, "teams", column="name", to="plan"), "already has a column plan"),
        (Wanted(Pattern.RENAME, "teams", column="id", to="key", code=CODE), "primary key"),
        (Wanted(Pattern.RENAME, "teams", column="id", to="key", unseen=("x",)), ": x"),
        (Wanted(Pattern.REBUILD, "teams"), "What should change in teams"),
        (Wanted(Pattern.REBUILD, "teams", drop=("old",)), "values of old are lost"),
        (Wanted(Pattern.REBUILD, "teams", drop=("name",), reason="x"), "View team_names uses name"),
        (Wanted(Pattern.REBUILD, "teams", ("plan TEXT NOT NULL",)), "may hold NULL now"),
        (Wanted(Pattern.REBUILD, "members", drop=("id",), reason="x"), ""),
        (Wanted(Pattern.DATA, "users", column="role"), "Which value should users.role get"),
        (Wanted(Pattern.DATA, "users", column="role", expression="'a'; DELETE FROM users"),
         "is not an SQL expression"),
        (Wanted(Pattern.DATA, "users", column="role", expression="nme"), "no such column"),
        (Wanted(Pattern.DATA, "users", column="email", expression="'same'"), "not proved"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused_in_words(wanted: Wanted, words: str) -> None:
    with pytest.raises(UsageError) as raised:
        written(wanted)
    assert words in raised.value.message


def test_a_down_file_that_does_not_bring_the_rows_back_is_no_proof() -> None:
    prior = prior_of(BASE)
    texts = ("UPDATE users SET role = 'x' WHERE role IS NOT 'x';", "SELECT 1;")
    assert "rows of users differ" in tried_up_and_down(prior, "a.sql", texts).reason
    lost = ("DELETE FROM members WHERE id > 0;", "SELECT 1;")
    assert "members" in tried_up_and_down(prior, "a.sql", lost).reason
    shape = ("ALTER TABLE users ADD COLUMN a;", "SELECT 1;")
    assert tried_up_and_down(prior, "a.sql", shape).reason != ""


@st.composite
def wishes(draw: st.DrawFn) -> Wanted:
    table = draw(st.sampled_from(("p", "kid", "grand", "q", "u", "tree")))
    column = draw(st.sampled_from(("tag", "v"))) if table == "u" else "tag"
    return draw(st.sampled_from((
        Wanted(Pattern.COLUMN, table, ("extra TEXT REFERENCES q(id)",)),
        Wanted(Pattern.RENAME, table, column=column, to="other", code=CODE),
        Wanted(Pattern.REBUILD, table, (f"{column} TEXT CHECK ({column} <> 'no')",)),
        Wanted(Pattern.DATA, table, column=column, expression=f"{column} || '!'"),
    )))  # fmt: skip


@settings(deadline=None, max_examples=examples(40))
@given(worlds(), wishes())
def test_up_and_down_bring_every_row_of_any_world_back(world: World, wanted: Wanted) -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(f"{world.prior}; {world.rows}")
    before = rows_of(connection)
    try:
        files = written(wanted, world.prior)
    except UsageError:  # of a UNIQUE ON CONFLICT REPLACE no copy is proved
        if "REPLACE" not in world.prior:
            raise
        return
    for n, file in enumerate(files):
        verdict = run_as_d1(connection, file.text, f"{n}", ledger=d1.LEDGER, clock=lambda: 0.0)
        assert verdict.refused == (), file.text
    kept = rows_of(connection)
    assert {table: len(rows) for table, rows in before.items()} == {
        table: len(kept[table]) for table in before
    }
    for n, file in enumerate(reversed(files)):
        verdict = run_as_d1(connection, file.down, f"d{n}", ledger=d1.LEDGER, clock=lambda: 0.0)
        assert verdict.refused == (), file.down
    assert rows_of(connection) == before


def rows_of(connection: apsw.Connection) -> dict[str, list[str]]:
    names = [name for (name,) in connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'd1_%'"
        " AND name NOT LIKE 'sqlite_%'")]  # fmt: skip
    return {
        name: sorted(map(repr, connection.execute(f'SELECT * FROM "{name}"'))) for name in names
    }

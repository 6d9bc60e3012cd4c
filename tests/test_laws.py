"""What must hold for any migration, tried on many."""

import apsw
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from d1_preflight.core.analysis import analyse, judge_some, schema_after
from d1_preflight.core.findings import Analysis, Kind
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.schema.schema import Schema
from law_size import examples

PRIOR_SQL = """
CREATE TABLE teams(id INTEGER PRIMARY KEY, name TEXT, old TEXT);
CREATE TABLE members(id INTEGER PRIMARY KEY, team INTEGER REFERENCES teams(id) ON DELETE CASCADE);
CREATE TABLE pins(id INTEGER PRIMARY KEY, team INTEGER REFERENCES teams(id) ON DELETE SET NULL);
CREATE INDEX members_team ON members(team);
CREATE TABLE notes(id INTEGER PRIMARY KEY, body TEXT UNIQUE);
"""
ROWS = """
INSERT INTO teams VALUES (1, 'a', 'x'), (2, 'b', 'y');
INSERT INTO members VALUES (1, 1), (2, 2), (3, 1);
INSERT INTO pins VALUES (1, 1), (2, NULL);
INSERT INTO notes VALUES (1, 'n'), (2, 'm');
"""
PRIOR = schema_after([Migration.from_text("0001_prior_state.sql", PRIOR_SQL)])
TABLES = ("teams", "members", "pins", "notes")
WEIGHT = (Kind.NONE, Kind.ADDITIVE, Kind.TRANSFORMATIVE, Kind.UNKNOWN, Kind.DESTRUCTIVE)
ADDITIVE = [
    "CREATE TABLE fresh(id INTEGER PRIMARY KEY, v TEXT);",
    "ALTER TABLE teams ADD COLUMN extra TEXT;",
    "ALTER TABLE notes ADD COLUMN n INTEGER NOT NULL DEFAULT 0;",
    "CREATE INDEX teams_name ON teams(name);",
    "CREATE VIEW v_teams AS SELECT id, name FROM teams;",
    "CREATE TRIGGER t_notes AFTER INSERT ON notes BEGIN UPDATE teams SET old = 'z'; END;",
    "INSERT INTO notes(id, body) VALUES (50, 'seed');",
    "INSERT INTO fresh(v) VALUES ('a; DROP TABLE teams;');",
    "-- DROP TABLE teams;\nSELECT 1;",
    "PRAGMA foreign_keys = OFF;",
]
SERIOUS = [
    "UPDATE teams SET name = 'q' WHERE id = 1;",
    "UPDATE notes SET body = body || 'x';",
    "ALTER TABLE teams RENAME COLUMN name TO title;",
    "DROP INDEX members_team;",
    "DELETE FROM teams WHERE id = 1;",
    "DELETE FROM notes;",
    "DROP TABLE pins;",
    "ALTER TABLE teams DROP COLUMN old;",
    "INSERT OR REPLACE INTO teams(id, name) VALUES (1, 'q');",
    "INSERT OR REPLACE INTO notes(id, body) VALUES (9, 'n');",
    "CREATE TABLE t2(id INTEGER PRIMARY KEY, name TEXT, old TEXT);",
    "INSERT INTO t2 SELECT id, name, old FROM teams;",
    "INSERT INTO t2 SELECT id, name, old FROM teams WHERE id > 1;",
    "DROP TABLE teams;",
    "ALTER TABLE t2 RENAME TO teams;",
    "ALTER TABLE teams RENAME TO t_old;",
    "CREATE TABLE _park AS SELECT * FROM members;",
    "INSERT INTO members SELECT * FROM _park;",
    "DELETE FROM members;",
    "PRAGMA defer_foreign_keys = on;",
    "nonsense;",
]
FILES = st.lists(st.sampled_from(ADDITIVE + SERIOUS), max_size=8).map("\n".join)


def judged(sql: str, prior: Schema = PRIOR) -> Analysis:
    return analyse(Migration.from_text("0002_a_b.sql", sql), prior)


def run_with_rows(sql: str) -> dict[str, list[tuple[object, ...]]] | None:
    """The rows afterwards by table, as D1 would leave them; None where it refuses the file."""
    connection = apsw.Connection(":memory:")
    connection.execute(PRIOR_SQL + ROWS + "PRAGMA foreign_keys = ON;")
    try:
        connection.execute("BEGIN")
        connection.execute(sql).fetchall()  # to the end: a SELECT would stop it half-way
        connection.execute("COMMIT")
    except apsw.Error:
        return None
    names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    return {str(n): connection.execute(f'SELECT * FROM "{n}"').fetchall() for (n,) in names}


BEFORE = run_with_rows("SELECT 1;") or {}


@settings(deadline=None, max_examples=examples(300))
@given(FILES)
def test_additive_means_that_every_table_column_and_row_is_still_there(sql: str) -> None:
    if judged(sql).kind not in (Kind.ADDITIVE, Kind.NONE):
        return
    after = run_with_rows(sql)
    for table, rows in BEFORE.items() if after else ():
        assert after is not None
        old = [row[: len(rows[0])] for row in after[table]]
        assert [row for row in rows if row not in old] == []


@settings(deadline=None, max_examples=examples(600))
@given(FILES)
@example(
    "CREATE TABLE t2(id INTEGER PRIMARY KEY, name TEXT, old TEXT);\n"
    "ALTER TABLE teams RENAME TO t_old;\nALTER TABLE t2 RENAME TO teams;"
)
def test_every_table_that_loses_rows_is_named(sql: str) -> None:
    after = run_with_rows(sql)
    effects = judged(sql).effects
    named = {*effects.rows_deleted_in, *effects.tables_dropped}
    for table, rows in BEFORE.items() if after else ():
        assert after is not None
        lost = {row[0] for row in rows} - {row[0] for row in after.get(table, [])}
        assert not lost or table in named or table not in after


@settings(deadline=None, max_examples=examples(300))
@given(FILES)
def test_every_reference_that_is_cleared_is_named(sql: str) -> None:
    after = run_with_rows(sql)
    if not after or "pins" not in after:
        return
    if (1, 1) in BEFORE["pins"] and (1, None) in after["pins"]:
        assert "pins.team" in judged(sql).effects.references_nulled_in


@settings(deadline=None, max_examples=examples(300))
@given(FILES, st.sampled_from(ADDITIVE + [s for s in SERIOUS if "t2" not in s and "_" not in s]))
def test_a_further_statement_never_lowers_the_class(sql: str, further: str) -> None:
    """Except the one that finishes a rebuild or puts parked rows back: those are left out."""
    before, after = judged(sql).kind, judged(sql + "\n" + further).kind
    assert WEIGHT.index(after) >= WEIGHT.index(before)


@settings(deadline=None, max_examples=examples(200))
@given(st.sampled_from(SERIOUS), st.sampled_from(["'{}'", '"{}"', "`{}`", "[{}]"]))
def test_sql_in_text_or_quoted_names_triggers_nothing(inner: str, quotes: str) -> None:
    text = inner.replace("'", "").replace("]", "")
    if quotes == "'{}'":
        sql = f"CREATE TABLE harmless(a TEXT DEFAULT {quotes.format(text)}); -- {text}"
    else:
        sql = f"CREATE TABLE harmless({quotes.format(text)} TEXT); /* {text} */"
    plain = judged("CREATE TABLE harmless(a TEXT);")
    analysis = judged(sql)
    assert analysis.kind is Kind.ADDITIVE
    assert [f.rule for f in analysis.findings] == [f.rule for f in plain.findings]


@settings(deadline=None, max_examples=examples(400))
@given(FILES, st.data())
def test_a_mutation_never_crashes(sql: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(sql)))
    cut = data.draw(st.integers(0, 9))
    put = data.draw(st.sampled_from(["", ";", "'", '"', "(", ")", "/*", "--", "\0", "é"]))
    assert judged(sql[:place] + put + sql[place + cut :]).kind in WEIGHT


@settings(deadline=None, max_examples=examples(200))
@given(st.text(max_size=60))
def test_no_text_crashes(text: str) -> None:
    assert judged(text).kind in WEIGHT


@settings(deadline=None, max_examples=examples(150))
@given(st.lists(FILES, min_size=1, max_size=4))
def test_a_ledger_is_judged_as_its_files_one_by_one(files: list[str]) -> None:
    migrations = [Migration.from_text(f"000{n}_a_b.sql", sql) for n, sql in enumerate(files, 1)]
    names = {migration.name for migration in migrations}
    together = judge_some(migrations, names, PRIOR, whole=True)
    for n, (migration, found) in enumerate(together):
        prior = schema_after(migrations[:n], PRIOR)
        alone = analyse(migration, prior, migrations, whole=True)
        assert (found.kind, found.effects) == (alone.kind, alone.effects)


@pytest.mark.parametrize("text", ["", ";", ";;;", "-- only", "/* */", "\ufeff", "\n"])
def test_a_file_without_statements_has_no_effect(text: str) -> None:
    assert judged(text).kind is Kind.NONE

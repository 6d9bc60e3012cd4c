"""The down draft: it is tried, its gaps are listed, and the verdict comes from the rows."""

from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from d1_preflight.adapters.row_copies import compare_copy, write_restore
from d1_preflight.core.project.migration import Migration, parse_header
from d1_preflight.core.recovery.down import Draft, draft_down
from d1_preflight.core.recovery.restore_sql import dependency_order
from d1_preflight.core.rows.index_gap import failing_indexes
from d1_preflight.core.rows.row_diff import RowDiff
from d1_preflight.core.schema.schema import Change, Schema, diff
from law_size import examples
from local_copies import copy_rows, diff_files, make_file, opened, read_shapes
from sampling import sampled

SHOP = """
CREATE TABLE teams(id TEXT PRIMARY KEY, name TEXT NOT NULL, old TEXT, plan TEXT DEFAULT 'free');
CREATE TABLE members(id INTEGER PRIMARY KEY AUTOINCREMENT,
  team TEXT REFERENCES teams(id) ON DELETE CASCADE, role TEXT, seats INTEGER NOT NULL);
CREATE TABLE badges(id INTEGER PRIMARY KEY, member INTEGER REFERENCES members ON DELETE CASCADE,
  team TEXT REFERENCES teams(id) ON DELETE SET NULL);
CREATE TABLE log(what TEXT);
CREATE INDEX members_team ON members(team);
CREATE VIEW named AS SELECT name FROM teams;
CREATE TRIGGER members_log AFTER DELETE ON members BEGIN INSERT INTO log VALUES ('gone'); END;
INSERT INTO teams VALUES ('a', 'A', 'x', 'pro'), ('b', 'B', NULL, NULL);
INSERT INTO members VALUES (1, 'a', 'OWNER', 3), (2, 'a', 'MEMBER', 4), (9, 'b', NULL, 5);
DELETE FROM members WHERE id = 9;
INSERT INTO badges VALUES (1, 1, 'a'), (2, NULL, NULL), (3, 2, 'b');
"""


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """What differs after up and down."""

    changes: tuple[Change, ...]
    rows: RowDiff

    @property
    def restored(self) -> bool:
        return not self.changes and all(table.is_untouched for table in self.rows.tables)


LOSSLESS = {
    "create table": "CREATE TABLE audit(id TEXT PRIMARY KEY, team TEXT REFERENCES teams(id));"
    "CREATE INDEX audit_team ON audit(team);",
    "create children": "CREATE TABLE p(id PRIMARY KEY); CREATE TABLE c(p REFERENCES p(id));"
    "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1);",
    "add column": "ALTER TABLE teams ADD COLUMN billing TEXT;"
    "CREATE INDEX teams_billing ON teams(billing);",
    "add and fill": "ALTER TABLE members ADD COLUMN level INTEGER DEFAULT 1;"
    "UPDATE members SET level = seats * 2;",
    "add reference": "ALTER TABLE log ADD COLUMN team TEXT REFERENCES teams(id);",
    "create index": "CREATE UNIQUE INDEX teams_name ON teams(name);",
    "drop index": "DROP INDEX members_team;",
    "change index": "DROP INDEX members_team; CREATE INDEX members_team ON members(team, role);",
    "create trigger": "CREATE TRIGGER t AFTER INSERT ON log BEGIN SELECT 1; END;",
    "drop trigger": "DROP TRIGGER members_log;",
    "create view": "CREATE VIEW v AS SELECT * FROM members;",
    "drop view": "DROP VIEW named;",
    "change view": "DROP VIEW named; CREATE VIEW named AS SELECT id FROM teams;",
    "rename table": "ALTER TABLE members RENAME TO people;",
    "rename column": "ALTER TABLE members RENAME COLUMN role TO part;",
    "rename both": "ALTER TABLE members RENAME TO people; ALTER TABLE people RENAME role TO part;",
    "rename twice": "ALTER TABLE log RENAME COLUMN what TO a; ALTER TABLE log RENAME a TO b;",
    "full text": "CREATE VIRTUAL TABLE notes USING fts5(body);",
    "rebuild a leaf": """CREATE TABLE n(id INTEGER PRIMARY KEY, member INTEGER, team TEXT,
        CHECK (id > 0)); INSERT INTO n SELECT id, member, team FROM badges; DROP TABLE badges;
        ALTER TABLE n RENAME TO badges;""",
    "rebuild through a common table expression": "DROP TRIGGER members_log;"
    "CREATE TABLE n(what TEXT); WITH s(w) AS (SELECT what FROM log) INSERT INTO n SELECT w FROM s;"
    "DROP TABLE log; ALTER TABLE n RENAME TO log;",
}
LOSSY = {
    "drop column": ("ALTER TABLE teams DROP COLUMN old;", "teams.old"),
    "drop needed column": ("ALTER TABLE members DROP COLUMN seats;", "without NOT NULL"),
    "drop table": ("DROP TABLE badges;", "rows of badges"),
    "delete": ("DELETE FROM badges WHERE id = 1;", "Rows of badges are deleted"),
    "insert": ("INSERT INTO log VALUES ('new');", "Rows are added to log"),
    "update": ("UPDATE members SET role = lower(role);", "Line 1 changes rows of members"),
    "update by value": ("UPDATE members SET role = 'owner' WHERE role = 'OWNER';", "this is 0"),
    "expression": (
        """DROP TRIGGER members_log; CREATE TABLE n(what TEXT);
        INSERT INTO n(what) SELECT upper(what) FROM log;
        DROP TABLE log; ALTER TABLE n RENAME TO log;""",
        "through an expression",
    ),
    "expression in a common table expression": (
        """DROP TRIGGER members_log; CREATE TABLE n(what TEXT);
        WITH s AS (SELECT upper(what) AS what FROM log) INSERT INTO n(what) SELECT what FROM s;
        DROP TABLE log; ALTER TABLE n RENAME TO log;""",
        "through an expression",
    ),
    "values of another table": (
        """DROP TRIGGER members_log; CREATE TABLE n(what TEXT);
        INSERT INTO n(what) SELECT m.role FROM log LEFT JOIN members AS m ON m.role = log.what;
        DROP TABLE log; ALTER TABLE n RENAME TO log;""",
        "through an expression",
    ),
    "rows that are new": (
        """DROP TRIGGER members_log; CREATE TABLE n(what TEXT);
        INSERT INTO n(what) SELECT what FROM log UNION ALL SELECT 'new';
        DROP TABLE log; ALTER TABLE n RENAME TO log;""",
        "Rows are added to log",
    ),
    "constant": (
        """DROP TRIGGER members_log; CREATE TABLE n(what TEXT); INSERT INTO n SELECT 'x' FROM log;
        DROP TABLE log; ALTER TABLE n RENAME TO log;""",
        "log",
    ),
    "replaced in place": (
        """ALTER TABLE members ADD COLUMN n TEXT; UPDATE members SET n = upper(role);
        ALTER TABLE members DROP COLUMN role; ALTER TABLE members RENAME COLUMN n TO role;""",
        "which another column replaces",
    ),
    "other type": (
        """DROP TRIGGER members_log; CREATE TABLE n(what INTEGER);
        INSERT INTO n SELECT what FROM log;
        DROP TABLE log; ALTER TABLE n RENAME TO log;""",
        "a different type",
    ),
    "cascade": ("DELETE FROM teams WHERE id = 'a';", "Rows of members are deleted"),
}


@pytest.mark.parametrize("name", sampled(LOSSLESS, 2))
def test_a_lossless_draft_brings_schema_and_rows_back(name: str, tmp_path: Path) -> None:
    draft = _draft(LOSSLESS[name])
    assert draft.gaps == ()
    assert draft.lossless
    assert _round_trip(tmp_path, SHOP, LOSSLESS[name], draft).restored


@pytest.mark.parametrize("name", sampled(LOSSY, 2))
def test_a_lossy_draft_says_what_it_cannot_bring_back(name: str) -> None:
    migration, gap = LOSSY[name]
    draft = _draft(migration)
    assert not draft.lossless
    assert any(gap in told for told in draft.gaps), draft.gaps


@pytest.mark.parametrize("name", ["drop column", "drop table", "update", "delete", "insert"])
def test_the_verdict_on_a_lossy_draft_is_schema_only(name: str, tmp_path: Path) -> None:
    migration, _ = LOSSY[name]
    found = _round_trip(tmp_path, SHOP, migration, _draft(migration))
    assert not found.changes
    assert sum(t.lost + t.changed + t.added for t in found.rows.tables) > 0


def test_the_update_by_value_is_exact_when_its_own_check_says_so(tmp_path: Path) -> None:
    migration, _ = LOSSY["update by value"]
    found = _round_trip(tmp_path, SHOP, migration, _draft(migration))
    assert found.restored
    held = SHOP + "UPDATE members SET role = 'owner' WHERE id = 2;"
    found = _round_trip(tmp_path, held, migration, _draft(migration))
    touched = [table for table in found.rows.tables if not table.is_untouched]
    assert [(t.table, t.lost, t.changed, t.added) for t in touched] == [("members", 0, 1, 0)]
    assert not found.changes


def test_a_rebuilt_parent_comes_back_with_the_rows_of_its_children(tmp_path: Path) -> None:
    """The parent loses a constraint that no ALTER gives back, so it is rebuilt back."""
    setup = SHOP.replace("name TEXT NOT NULL", "name TEXT NOT NULL UNIQUE")
    migration = """CREATE TABLE parked_m AS SELECT * FROM members;
        CREATE TABLE parked_b AS SELECT * FROM badges; DELETE FROM badges;
        DROP TRIGGER members_log; DELETE FROM members; DROP VIEW named;
        CREATE TABLE n(id TEXT PRIMARY KEY, name TEXT NOT NULL, old TEXT, plan TEXT DEFAULT 'free');
        INSERT INTO n SELECT id, name, old, plan FROM teams; DROP TABLE teams;
        ALTER TABLE n RENAME TO teams;
        INSERT INTO members SELECT * FROM parked_m; INSERT INTO badges SELECT * FROM parked_b;
        DROP TABLE parked_m; DROP TABLE parked_b; CREATE VIEW named AS SELECT name FROM teams;
        CREATE TRIGGER members_log AFTER DELETE ON members
          BEGIN INSERT INTO log VALUES ('gone'); END;"""
    draft = _draft(migration, setup)
    found = _round_trip(tmp_path, setup, migration, draft)
    assert "preflight_parked_members" in draft.sql
    assert found.restored, (found, draft.sql)


def test_a_rebuilt_counter_gives_no_id_twice(tmp_path: Path) -> None:
    migration = """CREATE TABLE n(id INTEGER PRIMARY KEY AUTOINCREMENT, team TEXT, role TEXT,
        seats INTEGER NOT NULL); INSERT INTO n SELECT id, team, role, seats FROM members;
        UPDATE sqlite_sequence SET seq = 9 WHERE name = 'n';
        DROP TRIGGER members_log; DROP TABLE badges; DROP TABLE members;
        ALTER TABLE n RENAME TO members;"""
    draft = _draft(migration)
    _round_trip(tmp_path, SHOP, migration, draft)
    connection = apsw.Connection(str(tmp_path / "after.sqlite"))
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'members'").fetchall()
    assert found == [(9,)]


def test_the_file_has_the_templates_header() -> None:
    header = parse_header(_draft(LOSSY["drop column"][0]).sql)
    assert header.missing == ()
    assert header.migration == "0061_change_shop (down)"
    assert header.rollback == "Apply 0061_change_shop.sql again"


def test_a_migration_that_d1_refuses_has_no_draft() -> None:
    draft = _draft("ALTER TABLE nowhere ADD COLUMN x;")
    assert not draft.lossless
    assert "no such table" in draft.gaps[0]


def test_an_observed_schema_that_was_not_predicted_is_a_gap() -> None:
    after = _schema(SHOP + "CREATE TABLE stranger(a);")
    draft = draft_down(_migration("CREATE TABLE x(a);"), _schema(SHOP), after)
    assert any("stranger" in gap for gap in draft.gaps)


def test_a_down_that_forgets_an_index_differs(tmp_path: Path) -> None:
    forgetful = Draft("DROP TABLE log; CREATE TABLE log(what TEXT)", lossless=True)
    found = _round_trip(tmp_path, SHOP, "DROP INDEX members_team;", forgetful)
    assert [change.name for change in found.changes] == ["members_team"]


ACTS = st.lists(st.sampled_from(sorted({**LOSSLESS})), min_size=1, max_size=4, unique=True)


@settings(
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(ACTS)
def test_whatever_is_called_lossless_is(tmp_path: Path, names: list[str]) -> None:
    migration = "".join(LOSSLESS[name] for name in names)
    draft = _draft(migration)
    if draft.lossless:
        assert _round_trip(tmp_path, SHOP, migration, draft).restored


def test_the_restore_sql_brings_every_value_back(tmp_path: Path) -> None:
    setup = (
        SHOP
        + """CREATE TABLE odd(v); INSERT INTO odd VALUES (9e999), (-9e999), (x'00ff'),
        (CAST(x'ff00' AS TEXT)), (9007199254740993), ('it''s; COMMIT; --'), (NULL), (0.1), ('');"""
    )
    _make(tmp_path / "a.sqlite", setup)
    names = [t.name for t in read_shapes(tmp_path / "a.sqlite")]
    copies = copy_rows(tmp_path / "a.sqlite", names, tmp_path / "copies")
    written = write_restore(tmp_path / "restore.sql", copies, _schema(SHOP), limit=300)
    assert not any(table.too_long for table in written.tables)
    assert any("odd" in caution for caution in written.cautions)
    written = write_restore(tmp_path / "all.sql", copies, _schema(setup), limit=300)
    assert max(len(line) for line in _statements(tmp_path / "all.sql")) <= 300
    empty = _schema(setup)
    _make(tmp_path / "b.sqlite", ";".join(o.sql for o in empty.objects))
    connection = apsw.Connection(str(tmp_path / "b.sqlite"))
    connection.execute("PRAGMA foreign_keys = ON")
    for statement in _statements(tmp_path / "all.sql"):
        connection.execute(statement)
    connection.close()
    assert [compare_copy(copy, tmp_path / "b.sqlite") for copy in copies] == [None] * len(copies)


@pytest.mark.parametrize("options", ["", ", content='posts', content_rowid='id'"])
def test_the_restore_sql_fills_a_full_text_index_again(tmp_path: Path, options: str) -> None:
    setup = (
        "CREATE TABLE posts(id INTEGER PRIMARY KEY, title TEXT);"
        f"CREATE VIRTUAL TABLE f USING fts5(title{options});"
        "CREATE TRIGGER fed AFTER INSERT ON posts"
        " BEGIN INSERT INTO f(rowid, title) VALUES (new.id, new.title); END;"
    )
    _make(tmp_path / "a.sqlite", f"{setup} INSERT INTO posts VALUES (1, 'one'), (7, 'seven')")
    names = [t.name for t in read_shapes(tmp_path / "a.sqlite") if not t.is_virtual]
    copies = copy_rows(tmp_path / "a.sqlite", names, tmp_path / "copies")
    written = write_restore(tmp_path / "all.sql", copies, _schema(setup))
    _make(tmp_path / "b.sqlite", f"{setup} {(tmp_path / 'all.sql').read_text()}")
    connection = apsw.Connection(str(tmp_path / "b.sqlite"))
    found = connection.execute("SELECT rowid FROM f WHERE f MATCH 'seven'").fetchall()
    assert (found, failing_indexes(connection)) == ([(7,)], {})
    assert [caution for caution in written.cautions if "virtual" in caution] == []


def test_a_row_too_long_for_d1_is_counted_and_said(tmp_path: Path) -> None:
    _make(tmp_path / "a.sqlite", "CREATE TABLE t(v); INSERT INTO t VALUES (zeroblob(60000)), (1)")
    copies = copy_rows(tmp_path / "a.sqlite", ["t"], tmp_path / "copies")
    written = write_restore(tmp_path / "r.sql", copies, _schema("CREATE TABLE t(v)"))
    assert (written.tables[0].rows, written.tables[0].too_long) == (1, 1)
    assert written.cautions == ("t: 1 row exceeds D1's limit of 100 KB per statement.",)


def test_parents_come_before_children_and_cycles_are_told() -> None:
    order = dependency_order(_schema(SHOP))
    places = {name: n for n, name in enumerate(order.tables)}
    assert places["teams"] < places["members"] < places["badges"]
    assert order.cycles == ()
    ring = "CREATE TABLE a(x REFERENCES b); CREATE TABLE b(x REFERENCES a); CREATE TABLE c(x)"
    assert dependency_order(_schema(ring)).cycles == ("a", "b")


def _migration(sql: str) -> Migration:
    return Migration.from_text("0061_change_shop.sql", sql)


def _draft(sql: str, setup: str = SHOP) -> Draft:
    return draft_down(_migration(sql), _schema(setup))


def _round_trip(folder: Path, setup: str, migration: str, draft: Draft) -> RoundTrip:
    _make(folder / "before.sqlite", setup)
    up = f"PRAGMA foreign_keys = ON; BEGIN; {migration} COMMIT;"
    _make(folder / "after.sqlite", setup + up + f"BEGIN;\n{draft.sql};COMMIT;")
    return _compared(folder / "before.sqlite", folder / "after.sqlite")


def _compared(before: Path, after: Path) -> RoundTrip:
    schemas = [Schema.from_connection(opened(path)) for path in (before, after)]
    return RoundTrip(diff(*schemas), diff_files(before, after))


def _make(path: Path, sql: str) -> None:
    make_file(path, sql)


def _schema(sql: str) -> Schema:
    connection = apsw.Connection(":memory:")
    connection.execute(sql)
    return Schema.from_connection(connection)


def _statements(path: Path) -> list[str]:
    return [part for part in path.read_text().split(";\n") if part]


@pytest.mark.parametrize(
    "change",
    [
        "role = 'owner' WHERE 'role' = 'OWNER'",
        "role = 'owner' WHERE role > 'OWNER'",
        "role = 'owner' WHERE role IS 'OWNER'",
        "role = 'owner' WHERE role = team",
        "role = 'owner' WHERE role = NULL",
        "role = 'owner' WHERE role = 'OWNER' AND id = 1",
        "role = 'owner' WHERE team = 'OWNER'",
        "role = team WHERE role = 'OWNER'",
        "role = NULL WHERE role = 'OWNER'",
        "role = 'o' || 'wner' WHERE role = 'OWNER'",
        "role = 'owner', seats = 1 WHERE role = 'OWNER'",
        "role = 'owner' WHERE role = (SELECT 'OWNER' WHERE 1)",
        "role = 'owner'",
        "role = 'owner' WHERE lower(role) = 'owner'",
    ],
)
def test_an_update_is_undone_only_where_two_literals_say_how(change: str) -> None:
    draft = _draft(f"UPDATE members SET {change};")

    assert not draft.lossless
    assert any("Line 1 changes rows of members" in gap for gap in draft.gaps), draft.gaps
    assert [line for line in draft.sql.splitlines() if line.startswith("UPDATE")] == []


@pytest.mark.parametrize(
    ("change", "back"),
    [
        ("role = 'owner' WHERE role = 'OWNER'", """"role" = 'OWNER' WHERE "role" = 'owner'"""),
        ('"Role" = 2 WHERE ROLE = 1', '"Role" = 1 WHERE "Role" = 2'),
    ],
)
def test_an_update_from_one_literal_to_another_is_undone_by_its_opposite(
    change: str, back: str
) -> None:
    draft = _draft(f"UPDATE members SET {change};")

    assert f'UPDATE "members" SET {back};' in draft.sql
    assert any("this is 0" in gap for gap in draft.gaps)

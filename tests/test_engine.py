"""What the engine says about effects that only SQLite can know."""

import sys

import pytest

from d1_preflight.core.analysis import analyse, schema_after
from d1_preflight.core.engine.sandbox import Sandbox
from d1_preflight.core.findings import Analysis, Kind, Risk, Severity
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.schema.schema import Schema, SchemaObject

TREE = """
CREATE TABLE teams(id TEXT PRIMARY KEY NOT NULL, name TEXT, old TEXT);
CREATE TABLE members(id TEXT NOT NULL PRIMARY KEY,
  team TEXT REFERENCES teams(id) ON DELETE CASCADE);
CREATE TABLE notes(id INTEGER PRIMARY KEY, member TEXT REFERENCES members(id) ON DELETE CASCADE);
CREATE TABLE pins(id INTEGER PRIMARY KEY, team TEXT REFERENCES teams(id) ON DELETE SET NULL);
"""
REBUILD = """CREATE TABLE teams_new(id TEXT PRIMARY KEY NOT NULL, name TEXT, old TEXT);
INSERT INTO teams_new(id, name, old) SELECT id, name, old FROM teams;
DROP TABLE teams;
ALTER TABLE teams_new RENAME TO teams;
"""


def judged(sql: str, prior: str = TREE) -> Analysis:
    before = schema_after([Migration.from_text("0001_a_b.sql", prior)])
    return analyse(Migration.from_text("0002_a_b.sql", sql), before)


def rules(analysis: Analysis) -> set[str]:
    return {finding.rule for finding in analysis.findings}


def test_a_rebuild_names_every_table_that_the_cascade_reaches() -> None:
    analysis = judged(REBUILD)
    assert (analysis.kind, analysis.risk) == (Kind.DESTRUCTIVE, Risk.HIGH)
    assert set(analysis.effects.rows_deleted_in) == {"members", "notes"}
    assert analysis.effects.references_nulled_in == ("pins.team",)
    assert analysis.effects.tables_rebuilt == ("teams",)
    assert analysis.reasons[0].line == 3


def test_a_rebuild_without_children_is_transformative() -> None:
    analysis = judged(REBUILD, "CREATE TABLE teams(id TEXT PRIMARY KEY NOT NULL, name TEXT, old);")
    assert analysis.kind is Kind.TRANSFORMATIVE
    assert analysis.effects.rows_deleted_in == ()
    assert analysis.effects.tables_touched == ("teams",)


def test_parked_rows_that_are_put_back_are_not_lost() -> None:
    park = "CREATE TABLE _m AS SELECT * FROM members;\nCREATE TABLE _n AS SELECT * FROM notes;\n"
    back = "INSERT INTO members SELECT * FROM _m;\nINSERT INTO notes SELECT * FROM _n;\n"
    analysis = judged(park + REBUILD + back + "DROP TABLE _m;\nDROP TABLE _n;")
    assert analysis.effects.rows_deleted_in == ()
    assert "cascade-parked" in rules(analysis)
    assert "cascade-delete" not in rules(analysis)


def test_rows_parked_after_the_drop_are_lost() -> None:
    late = "CREATE TABLE _m AS SELECT * FROM members;\nINSERT INTO members SELECT * FROM _m;\n"
    assert "members" in judged(REBUILD + late).effects.rows_deleted_in


def test_rows_parked_in_part_are_lost() -> None:
    park = "CREATE TABLE _m AS SELECT * FROM members WHERE id > 'k';\n"
    back = "INSERT INTO members SELECT * FROM _m;\n"
    assert "members" in judged(park + REBUILD + back).effects.rows_deleted_in


def test_a_trigger_that_writes_its_row_anew_loses_nothing() -> None:
    prior = """CREATE TABLE a(id INTEGER PRIMARY KEY, v TEXT);
    CREATE TABLE s(id INTEGER, v TEXT);
    CREATE TRIGGER g AFTER UPDATE ON a BEGIN
      DELETE FROM s WHERE id = OLD.id; INSERT INTO s VALUES (NEW.id, NEW.v); END;"""
    analysis = judged("UPDATE a SET v = 'x' WHERE id = 1;", prior)
    assert (analysis.kind, analysis.effects.rows_deleted_in) == (Kind.TRANSFORMATIVE, ())
    assert analysis.effects.rows_updated_in == ("a", "s")


def test_what_d1_refuses_is_unknown_and_blocks() -> None:
    analysis = judged("CREATE TABLE x(a);\nALTER TABLE teams ALTER COLUMN old TYPE INTEGER;")
    assert (analysis.kind, analysis.risk) == (Kind.UNKNOWN, Risk.UNKNOWN)
    assert [finding.rule for finding in analysis.blocking] == ["alter-type-unsupported"]


def test_an_object_that_cannot_be_made_is_told() -> None:
    broken = Schema((SchemaObject("index", "i", "gone", "CREATE INDEX i ON gone(x)"),))
    analysis = analyse(Migration.from_text("0002_a_b.sql", "CREATE TABLE x(a);"), broken)
    [finding] = [f for f in analysis.findings if f.rule == "prior-incomplete"]
    assert "index i: no such table" in finding.message


@pytest.mark.parametrize("dash", ["—", "-", "--", "–", ":"])
def test_an_inline_allow_waives_and_keeps_its_reason(dash: str) -> None:
    sql = f"-- preflight: allow view-broken {dash} made again by hand\nDROP TABLE t;"
    found = judged(sql, prior="CREATE TABLE t(a); CREATE VIEW v AS SELECT a FROM t;").findings
    [finding] = [f for f in found if f.rule == "view-broken"]
    assert (finding.allowed, finding.blocks) == ("made again by hand", False)


@pytest.mark.parametrize(
    ("rule", "statement"),
    [
        ("final-semicolon-missing", "CREATE TABLE x(a)"),
        ("begin-transaction-words", "CREATE TABLE x(a); -- BEGIN TRANSACTION"),
        ("syntax-error", "CREATE TABEL x(a);"),
        ("comment-unclosed", "CREATE TABLE x(a); /* and"),
    ],
)
def test_an_inline_allow_never_silences_a_refusal(rule: str, statement: str) -> None:
    found = judged(f"-- preflight: allow {rule} — so be it\n{statement}").findings
    [finding] = [f for f in found if f.rule == rule]
    assert (finding.allowed, finding.blocks) == ("", True)
    [ignored] = [f for f in found if f.rule == "allow-ignored"]
    assert "D1 refuses it anyway" in ignored.message


@pytest.mark.parametrize(
    "allow",
    ["-- preflight: allow cascade-delete — we know", "-- preflight: allow self-reference — x"],
)
def test_an_inline_allow_never_silences_row_loss(allow: str) -> None:
    found = [f for f in judged(f"{allow}\n{REBUILD}").findings if f.rule == "cascade-delete"]
    assert found
    assert all(finding.blocks for finding in found)


def test_an_allow_needs_a_reason_and_its_own_place() -> None:
    bare = "-- preflight: allow foreign-keys-off\nPRAGMA foreign_keys = OFF;"
    text = "SELECT '-- preflight: allow foreign-keys-off — x';\nPRAGMA foreign_keys = OFF;"
    for sql in (bare, text):
        [finding] = [f for f in judged(sql).findings if f.rule == "foreign-keys-off"]
        assert (finding.allowed, finding.severity) == ("", Severity.WARNING)


def test_work_without_end_is_given_up_and_the_rest_is_still_judged() -> None:
    endless = (
        "CREATE TABLE x(a);\nINSERT INTO x WITH RECURSIVE n(i) AS"
        " (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n;\nDROP TABLE pins;\n"
        "INSERT INTO x VALUES (1);"
    )
    analysis = judged(endless)
    assert analysis.effects.tables_dropped == ("pins",)
    assert {f.rule for f in analysis.blocking} == {"not-followed"}


def test_the_header_is_held_against_the_effect() -> None:
    analysis = judged("-- Type: Additive (low risk)\n" + REBUILD)
    [finding] = [f for f in analysis.findings if f.rule == "declared-type-differs"]
    assert finding.blocks
    assert "destructive" in finding.message


SOURCE_PRIOR = """
CREATE TABLE users(id TEXT PRIMARY KEY NOT NULL, email TEXT);
CREATE TABLE teams(id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, deprecated_column TEXT);
CREATE TABLE team_members(id TEXT PRIMARY KEY NOT NULL, role TEXT);
CREATE TABLE workflow_runs(id TEXT PRIMARY KEY NOT NULL, old_name TEXT);
"""


@pytest.mark.parametrize(
    ("sql", "kind", "risk", "rollback"),
    [
        ("ALTER TABLE users ADD COLUMN last_login_at INTEGER;", "additive", "low", "low"),
        ("CREATE TABLE audit_logs(id TEXT PRIMARY KEY NOT NULL);", "additive", "low", "low"),
        (
            "ALTER TABLE workflow_runs RENAME COLUMN old_name TO new_name;",
            "transformative", "medium", "medium",
        ),
        (
            """CREATE TABLE teams_new(id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL);
            INSERT INTO teams_new (id, name) SELECT id, name FROM teams;
            DROP TABLE teams; ALTER TABLE teams_new RENAME TO teams;""",
            "destructive", "high", "irreversible",
        ),
        (
            "UPDATE team_members SET role = 'owner' WHERE role = 'OWNER';",
            "transformative", "medium", "medium",
        ),
        ("DROP TABLE users;", "destructive", "high", "irreversible"),
        ("DELETE FROM users WHERE id = 'x';", "destructive", "high", "irreversible"),
        ("CREATE INDEX users_email ON users(email);", "additive", "low", "low"),
    ],
)  # fmt: skip
def test_the_source_documents_patterns_have_its_classes(
    sql: str, kind: str, risk: str, rollback: str
) -> None:
    analysis = judged(sql, SOURCE_PRIOR)
    assert (analysis.kind, analysis.risk, analysis.rollback) == (kind, risk, rollback)


def test_many_like_rows_are_not_kept_one_by_one() -> None:
    rows = "".join(f"INSERT INTO x VALUES ({n});\n" for n in range(3_000))
    sandbox = Sandbox()
    run = sandbox.run(f"CREATE TABLE x(a);\n{rows}DROP TABLE x;")
    assert run.count == 3_002
    assert [trace.line for trace in run.statements] == [1, 2, 3_001, 3_002]


def test_memory_is_bounded_by_giving_up() -> None:
    fill = "INSERT INTO x WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    [_, trace] = (
        Sandbox().run(f"CREATE TABLE x(a);\n{fill} SELECT zeroblob(9000000) FROM n;").statements
    )
    assert trace.aborted


def test_a_custom_trap_of_every_kind_is_told_with_its_place() -> None:
    text = "\ufeffCREATE TABLE a(x);\r\nCREATE TABLE b(y TEXT DEFAULT 'it''s')\r\n-- end"
    found = {f.rule: (f.line, f.column) for f in judged(text).findings}
    assert found["byte-order-mark"] == (1, 1)
    assert found["final-semicolon-missing"] == (2, 38)


def test_an_explained_statement_is_not_done() -> None:
    analysis = judged("EXPLAIN DELETE FROM teams;\nEXPLAIN QUERY PLAN DROP TABLE teams;")
    assert (analysis.kind, analysis.effects) == (Kind.NONE, judged("SELECT 1;").effects)


def test_the_work_grows_with_the_file_not_with_its_square() -> None:
    """Steps are counted, not seconds: SQLite is asked for all objects only where it must be."""

    def asked(count: int) -> int:
        sql = "".join(f"CREATE TABLE t{count}_{n}(id);\n" for n in range(count))
        calls = 0

        def count_calls(_frame: object, event: str, _of: object) -> None:
            nonlocal calls
            calls += event == "call"

        sys.setprofile(count_calls)
        try:
            assert judged(sql).kind is Kind.ADDITIVE
        finally:
            sys.setprofile(None)
        return calls

    judged("CREATE TABLE warm(id);")
    assert asked(200) < 2.5 * asked(100)

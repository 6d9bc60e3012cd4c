"""The safe way that a row-loss rule teaches is run: its SQL, as filled in, keeps every row."""

import re
import tomllib
from pathlib import Path

import pytest

from d1_preflight.core.analysis import analyse, schema_after
from d1_preflight.core.engine.sandbox import Sandbox
from d1_preflight.core.findings import Finding
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.rules.catalog import rule_catalog
from test_differential import World, judge, lost_and_changed, run

FOLDER = Path(__file__).parent / "rules"
REBUILD = """
CREATE TABLE teams_new(id TEXT PRIMARY KEY NOT NULL, tag TEXT);
INSERT INTO teams_new(id, tag) SELECT id, tag FROM teams;
DROP TABLE teams;
ALTER TABLE teams_new RENAME TO teams;
"""
TEAMS = "CREATE TABLE teams(id TEXT PRIMARY KEY NOT NULL, tag TEXT);"
ROWS = "INSERT INTO teams VALUES ('a', 't1'), ('b', 't2');"


def child(action: str, key: str = "id INTEGER PRIMARY KEY") -> World:
    """A parent, its child, and a grandchild that is declared before the child."""
    names = ", ".join(re.findall(r"^(\w+)|, (\w+) ", key)[0]).strip(", ")
    return World(
        f"""{TEAMS}
        CREATE TABLE notes(id INTEGER PRIMARY KEY, tag TEXT,
          member INTEGER REFERENCES members({names}) ON DELETE CASCADE);
        CREATE TABLE members({key}, tag TEXT, team TEXT DEFAULT 'a'
          REFERENCES teams(id) ON DELETE {action},
          twice TEXT AS (tag || tag));
        """,
        f"""{ROWS} INSERT INTO members(id, tag, team) VALUES (1, 'm1', 'a'), (2, 'm2', 'b');
        INSERT INTO notes VALUES (1, 'n1', 1), (2, 'n2', 2);
        """,
    )


def finding(world: World, sql: str, rule: str) -> Finding:
    found = [f for f in judge(world, sql).findings if f.rule == rule]
    assert found, rule
    return found[0]


def sql_of(step: str) -> str:
    """The SQL of a step: what follows its first colon."""
    return step.partition(": ")[2]


def keeps_all(world: World, sql: str) -> None:
    before, after = run(world, sql)
    assert after is not None, sql
    assert lost_and_changed(before, after) == (set(), set()), sql
    judged = judge(world, sql)
    assert [f.rule for f in judged.findings if f.rows_at_risk and f.blocks] == [], sql


@pytest.mark.parametrize(
    ("rule", "action"),
    [
        ("cascade-delete", "CASCADE"),
        ("references-nulled", "SET NULL"),
        ("references-moved", "SET DEFAULT"),
    ],
)
def test_parking_as_the_rule_says_keeps_every_row_and_reference(rule: str, action: str) -> None:
    world = child(action)
    steps = finding(world, REBUILD, rule).instead
    park = next(sql_of(step) for step in steps if "_AS SELECT" in step.replace(" AS", "_AS"))
    back = next(sql_of(step) for step in steps if "tidy up: " in step)
    keeps_all(world, park + REBUILD + back)


def test_a_table_that_refers_to_its_new_name_keeps_its_rows() -> None:
    world = World(
        "CREATE TABLE cat(no INTEGER PRIMARY KEY, tag TEXT,"
        " up INTEGER REFERENCES cat(no) ON DELETE CASCADE);",
        "INSERT INTO cat VALUES (1, 'c1', NULL), (2, 'c2', 1), (3, 'c3', 2);",
    )
    sql = (
        "CREATE TABLE cat_new(no INTEGER PRIMARY KEY, tag TEXT,"
        " up INTEGER REFERENCES cat(no) ON DELETE CASCADE);"
        " INSERT INTO cat_new(no, tag, up) SELECT no, tag, up FROM cat;"
        " DROP TABLE cat; ALTER TABLE cat_new RENAME TO cat;"
    )
    [said] = re.findall(
        r"REFERENCES \S+\(\S+\)", " ".join(finding(world, sql, "self-reference-rebuild").instead)
    )
    keeps_all(world, sql.replace("REFERENCES cat(no)", said))


@pytest.mark.parametrize(
    "columns", ["(id, tag) VALUES ('a', 't1')", "VALUES ('a', 't1'), ('c', 'x')"]
)
def test_the_upsert_keeps_the_children(columns: str) -> None:
    world = child("CASCADE")
    found = finding(world, f"INSERT OR REPLACE INTO teams {columns};", "replace-cascades")
    keeps_all(world, sql_of(found.instead[0]))


def test_without_the_off_the_commit_checks() -> None:
    world = child("NO ACTION")
    sql = "PRAGMA defer_foreign_keys = on;\nDELETE FROM teams WHERE id = 'a';\n"
    off = "PRAGMA defer_foreign_keys = off;"
    assert run(world, sql + off)[1] is not None
    assert run(world, sql)[1] is None
    assert "Delete this line" in finding(world, sql + off, "defer-off").instead[0]


def test_the_guard_of_a_filtered_copy_rolls_the_loss_back() -> None:
    world = World(TEAMS, ROWS)
    sql = REBUILD.replace("FROM teams;", "FROM teams WHERE id > 'a';", 1)
    guard = sql_of(finding(world, sql, "copy-filtered").instead[1])
    assert run(world, sql.replace("DROP TABLE teams;", guard + "DROP TABLE teams;"))[1] is None
    assert run(world, REBUILD.replace("DROP TABLE teams;", guard + "DROP TABLE teams;"))[1]


def test_every_full_statement_in_a_row_loss_rules_words_runs_on_its_cases_schema() -> None:
    """Statements with a … are left to the reader; all others run, in order, before the file."""
    tried = set()
    lossy = {rule for rule, entry in rule_catalog().items() if entry.rows_at_risk}
    for path in sorted(path for path in FOLDER.glob("*.toml") if path.stem in lossy):
        for case in tomllib.loads(path.read_text(encoding="utf-8"))["find"]:
            schema = schema_after([Migration.from_text("0001_p.sql", str(case.get("prior", "")))])
            judged = analyse(Migration.from_text("0002_a_b.sql", str(case["sql"])), schema)
            for said in (f for f in judged.findings if f.rows_at_risk and f.rule == path.stem):
                made = _created(str(case["sql"])) if path.stem == "copy-filtered" else ""
                text = " ".join(s for step in said.instead for s in _statements(step))
                traces = Sandbox(schema).run(made + text).statements
                assert [trace.error for trace in traces if trace.error] == [], (path.stem, text)
                tried |= {path.stem} if text else set()
    assert tried >= {"cascade-delete", "references-nulled", "references-moved", "copy-filtered"}
    assert tried >= {"replace-cascades", "drop-column"}


def _statements(step: str) -> list[str]:
    pattern = r"(?:CREATE TABLE|INSERT INTO|UPDATE|PRAGMA|DROP TABLE|ALTER TABLE) [^;…]+;"
    return re.findall(pattern, step)


def _created(sql: str) -> str:
    return " ".join(re.findall(r"CREATE TABLE (?!.* AS )[^;]+;", sql))

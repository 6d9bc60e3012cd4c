"""The class of a script, with its reasons and effects, and where every row and value went.

The cases stand in `effects.toml`; a case names only what differs from a table left alone.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path

import apsw
import pytest
from _pytest.mark import ParameterSet

from d1_preflight.core.effects.classify import Verdict, classify
from d1_preflight.core.effects.row_lineage import TableLineage
from d1_preflight.core.engine.sandbox import Sandbox
from d1_preflight.core.findings import Effects, Kind, Risk
from d1_preflight.core.schema.schema import Schema

PRIOR = """
CREATE TABLE teams(id TEXT PRIMARY KEY, name TEXT, old TEXT);
CREATE TABLE members(id INTEGER PRIMARY KEY, team TEXT REFERENCES teams(id) ON DELETE CASCADE,
  role TEXT);
CREATE TABLE badges(id INTEGER PRIMARY KEY, team TEXT REFERENCES teams(id) ON DELETE SET NULL);
CREATE TABLE moves(id INTEGER PRIMARY KEY, team TEXT REFERENCES teams(id) ON UPDATE SET NULL);
CREATE TABLE marks(id INTEGER PRIMARY KEY, team TEXT DEFAULT 'x' REFERENCES teams(id)
  ON DELETE SET DEFAULT ON UPDATE CASCADE);
CREATE TABLE log(what TEXT, at INTEGER);
CREATE TABLE counters(id INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER UNIQUE);
CREATE TABLE audit(id INTEGER PRIMARY KEY, log TEXT);
CREATE INDEX members_role ON members(role);
CREATE VIEW sums AS SELECT n FROM counters;
CREATE TRIGGER counted AFTER INSERT ON log BEGIN UPDATE counters SET n = n + 1; END;
CREATE TRIGGER cleaned AFTER DELETE ON counters BEGIN DELETE FROM audit WHERE id = old.id; END;
"""
CASES = tomllib.loads(Path(__file__).with_name("effects.toml").read_text())["case"]


@cache
def schema_of(sql: str) -> Schema:
    connection = apsw.Connection(":memory:")
    connection.execute(sql)
    schema = Schema.from_connection(connection)
    connection.close()
    return schema


def judged(sql: str, prior: str = PRIOR, *, whole: bool = True) -> Verdict:
    sandbox = Sandbox(schema_of(prior), whole=whole)
    try:
        return classify(sandbox.run(sql))
    finally:
        sandbox.close()


def each_kind() -> list[ParameterSet]:
    """The suite tries the first case of each class, effects and lineages; the matrix all."""
    kinds = set[object]()
    found = []
    for case in CASES:
        lineages = {key for lineage in table(case, "lineage").values() for key in keys(lineage)}
        kind = case["class"], frozenset(table(case, "effects")), frozenset(lineages)
        found.append(pytest.param(case, marks=pytest.mark.matrix if kind in kinds else ()))
        kinds.add(kind)
    return found


def table(case: Mapping[str, object], name: str) -> dict[str, object]:
    found = case.get(name, {})
    assert isinstance(found, dict)
    return found


def keys(lineage: object) -> Iterator[str]:
    assert isinstance(lineage, dict)
    yield from lineage


@pytest.fixture(scope="module", params=each_kind(), ids=lambda case: " ".join(case["sql"].split()))
def case(request: pytest.FixtureRequest) -> tuple[Mapping[str, object], Verdict]:
    return request.param, judged(request.param["sql"])


def test_the_class_follows_from_the_effects(case: tuple[Mapping[str, object], Verdict]) -> None:
    expected, found = case

    assert found.kind == expected["class"]
    assert [f"{reason.line}: {reason.text}" for reason in found.reasons] == expected["reasons"]


def test_the_effects_name_every_table_and_column(
    case: tuple[Mapping[str, object], Verdict],
) -> None:
    expected, found = case

    effects = {field.name: getattr(found.effects, field.name) for field in fields(Effects)}
    named = {name: value for name, value in effects.items() if value}
    assert named == {name: tuple(value) if isinstance(value, list) else value
                     for name, value in table(expected, "effects").items()}  # fmt: skip


def test_every_row_and_value_is_followed(case: tuple[Mapping[str, object], Verdict]) -> None:
    expected, found = case

    named = {lineage.table: dict(told(lineage)) for lineage in found.lineages}
    assert {name: found for name, found in named.items() if found} == table(expected, "lineage")
    assert list(named) == [
        "teams", "members", "badges", "moves", "marks", "log", "counters", "audit",
    ]  # fmt: skip


def told(lineage: TableLineage) -> Iterator[tuple[str, object]]:
    """What differs from the lineage of a table that was left alone."""
    if lineage.name != lineage.table:
        yield "name", lineage.name or ""
    if lineage.rebuilt:
        yield "rebuilt", True
    if not lineage.kept:
        yield "kept", False
    losses = (
        f"{loss.storage_table}:{loss.trace.line}{' indirect' if loss.indirect else ''}"
        for loss in lineage.losses
    )
    lists = {
        "losses": list(losses),
        "partial": [trace.line for trace in lineage.partial],
        "nulled": [f"{column}:{trace.line}" for column, trace in lineage.nulled],
        "copied_to": list(lineage.copied_to),
        "moved": dict(lineage.moved),
        "derived": list(lineage.derived),
        "dropped": list(lineage.dropped),
    }
    yield from ((name, found) for name, found in lists.items() if found)
    for name, trace in (("dropped_by", lineage.dropped_by), ("filled_by", lineage.filled_by)):
        if trace:
            yield name, trace.line


@pytest.mark.parametrize(
    ("body", "nulled"), [("SELECT RAISE(IGNORE)", ["team:2"]), ("SELECT 1", [])], ids=str
)
def test_rows_that_another_tables_trigger_holds_back_can_still_be_cleared(
    body: str, nulled: list[str]
) -> None:
    prior = f"""{PRIOR}
    CREATE TABLE pins(id INTEGER PRIMARY KEY, badge REFERENCES badges(id) ON DELETE CASCADE);
    CREATE TRIGGER held BEFORE DELETE ON pins BEGIN {body}; END;"""

    found = judged("DELETE FROM badges;\nDELETE FROM teams;", prior)

    badges = next(lineage for lineage in found.lineages if lineage.table == "badges")
    assert dict(told(badges)).get("nulled", []) == nulled


@pytest.mark.parametrize(
    ("sql", "kind", "risk", "rollback"),
    [
        ("SELECT 1;", Kind.NONE, Risk.LOW, "low"),
        ("REINDEX members_role;", Kind.NONE, Risk.LOW, "low"),
        ("CREATE TABLE new(a);", Kind.ADDITIVE, Risk.LOW, "low"),
        ("UPDATE log SET at = 1;", Kind.TRANSFORMATIVE, Risk.MEDIUM, "medium"),
        ("DROP TABLE log;", Kind.DESTRUCTIVE, Risk.HIGH, "irreversible"),
        ("SELEC 1;", Kind.UNKNOWN, Risk.UNKNOWN, "irreversible"),
    ],
)
def test_risk_and_way_back_follow_from_the_class(
    sql: str, kind: Kind, risk: Risk, rollback: str
) -> None:
    found = judged(sql)

    assert (found.kind, found.risk, found.rollback) == (kind, risk, rollback)


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("CREATE TABLE new(a); SELEC 1;", Kind.UNKNOWN),
        ("UPDATE log SET at = 1; SELEC 1;", Kind.UNKNOWN),
        ("DELETE FROM log; SELEC 1;", Kind.DESTRUCTIVE),
        ("CREATE TABLE new(a); UPDATE log SET at = 1;", Kind.TRANSFORMATIVE),
        ("ATTACH 'other' AS other;", Kind.UNKNOWN),
        ("BEGIN;", Kind.UNKNOWN),
    ],
)
def test_the_heaviest_effect_gives_the_class(sql: str, kind: Kind) -> None:
    assert judged(sql).kind is kind


@pytest.mark.parametrize(
    ("sql", "kind", "deleted", "dropped", "reason"),
    [
        (
            "SELECT 1;\nDROP TABLE IF EXISTS outside;",
            Kind.DESTRUCTIVE, (), ("outside",), '2: Drops table "outside", if it exists',
        ),
        (
            "DROP TABLE IF EXISTS outside;\nCREATE TABLE outside(a);",
            Kind.DESTRUCTIVE, ("outside",), (), '1: Drops table "outside", if it exists',
        ),
        (
            "DELETE FROM outside;",
            Kind.DESTRUCTIVE, ("outside",), (), '1: Deletes rows of "outside", if it exists',
        ),
        (
            "CREATE TABLE IF NOT EXISTS outside(a);\nDELETE FROM outside;",
            Kind.DESTRUCTIVE, ("outside",), (), '2: Deletes rows of "outside", if it exists',
        ),
        (
            "CREATE TABLE outside(a);\nDELETE FROM outside;",
            Kind.ADDITIVE, (), (), '1: Adds table "outside"',
        ),
        (
            "DROP TABLE IF EXISTS n;\nCREATE TABLE n(a);\nDROP TABLE n;\nCREATE TABLE m(a);",
            Kind.ADDITIVE, (), (), '4: Adds table "m"',
        ),
        (
            "DROP VIEW IF EXISTS outside;",
            Kind.TRANSFORMATIVE, (), (), '1: Drops view "outside", if it exists',
        ),
        (
            "DROP INDEX IF EXISTS outside;\nCREATE INDEX outside ON log(at);",
            Kind.ADDITIVE, (), (), '2: Adds index "outside"',
        ),
        (
            "DROP INDEX IF EXISTS outside;",
            Kind.TRANSFORMATIVE, (), (), '1: Drops index "outside", if it exists',
        ),
        (
            "DROP TRIGGER IF EXISTS outside;",
            Kind.TRANSFORMATIVE, (), (), '1: Drops trigger "outside", if it exists',
        ),
    ],
)  # fmt: skip
def test_what_no_file_makes_may_be_there_all_the_same(
    sql: str, kind: Kind, deleted: tuple[str, ...], dropped: tuple[str, ...], reason: str
) -> None:
    found = judged(sql, whole=False)

    assert found.kind is kind
    assert (found.effects.rows_deleted_in, found.effects.tables_dropped) == (deleted, dropped)
    assert f"{found.reasons[0].line}: {found.reasons[0].text}".startswith(reason)


def test_where_the_whole_schema_is_known_nothing_else_can_be_there() -> None:
    assert judged("DROP TABLE IF EXISTS outside;").kind is Kind.NONE


def test_a_self_reference_is_cleared_whatever_its_table_is_called_later() -> None:
    prior = "CREATE TABLE tree(id INTEGER PRIMARY KEY, up REFERENCES tree(id) ON DELETE SET NULL);"

    found = judged("DELETE FROM tree WHERE id = 1;\nALTER TABLE tree RENAME TO trees;", prior)

    assert 'Sets "tree.up" to NULL (ON DELETE SET NULL or DEFAULT).' in [
        reason.text for reason in found.reasons
    ]


def test_a_copy_of_some_rows_of_a_table_that_the_file_makes_is_no_copy_of_all() -> None:
    found = judged(
        "CREATE TABLE part(what TEXT);\nINSERT INTO part SELECT what FROM log WHERE at > 1;\n"
        "CREATE TABLE new(what TEXT);\nINSERT INTO new SELECT what FROM part WHERE what = 'x';\n"
        "DROP TABLE log;"
    )

    (log,) = (lineage for lineage in found.lineages if lineage.table == "log")
    assert (found.kind, log.kept, log.copied_to) == (Kind.DESTRUCTIVE, False, ("new", "part"))


ONE_ROW = """CREATE TABLE s(id INTEGER PRIMARY KEY CHECK (id = 1), v TEXT NOT NULL CHECK (v = 'a'));
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);"""
SWAP = "DROP TABLE s;\nALTER TABLE n RENAME TO s;"


@pytest.mark.parametrize(
    ("sql", "kept"),
    [
        (f"CREATE TABLE n(id, v);\nINSERT INTO n SELECT * FROM s WHERE id < 2;\n{SWAP}", True),
        (
            (
                "ALTER TABLE s RENAME TO o;\nCREATE TABLE s(id, v);\n"
                "INSERT INTO s SELECT * FROM o WHERE id IN (1);\nDROP TABLE o;"
            ),
            True,
        ),
        (  # the copy has no CHECK, so its rows may have changed
            (
                "CREATE TABLE m(id, v);\nINSERT INTO m SELECT * FROM s;\nUPDATE m SET id = 2;\n"
                f"CREATE TABLE n(id, v);\nINSERT INTO n SELECT * FROM m WHERE id = 1;\n{SWAP}"
            ),
            False,
        ),
        (  # a CHECK goes with its column
            (
                "ALTER TABLE s DROP COLUMN v;\n"
                "ALTER TABLE s ADD COLUMN v TEXT NOT NULL DEFAULT 'b';\n"
                f"CREATE TABLE n(id, v);\nINSERT INTO n SELECT * FROM s WHERE v = 'a';\n{SWAP}"
            ),
            False,
        ),
        (  # no CHECK holds
            (
                "PRAGMA ignore_check_constraints = ON;\nUPDATE s SET id = 2;\n"
                f"CREATE TABLE n(id, v);\nINSERT INTO n SELECT * FROM s WHERE id = 1;\n{SWAP}"
            ),
            False,
        ),
        (  # s is another table by now
            (
                "DROP TABLE s;\nALTER TABLE t RENAME TO s;\nCREATE TABLE t(id, v);\n"
                "INSERT INTO t SELECT * FROM s WHERE id = 1;\nDROP TABLE s;"
            ),
            False,
        ),
    ],
)
def test_a_where_that_a_check_implies_leaves_no_row_out(sql: str, kept: bool) -> None:
    found = judged(sql, ONE_ROW)

    table = "t" if "RENAME TO s;\nCREATE TABLE t" in sql else "s"
    (lineage,) = (one for one in found.lineages if one.table == table)
    assert lineage.kept is kept


def test_a_file_that_is_not_recorded_is_unknown_at_its_last_line() -> None:
    sandbox = Sandbox(Schema(()))
    try:
        found = classify(sandbox.run("SELECT 1;\nSELECT 2; /* open", name="0002_open.sql"))
    finally:
        sandbox.close()

    assert [(reason.line, reason.text[:27]) for reason in found.reasons] == [
        (2, "D1 does not record the file")
    ]
    assert found.kind is Kind.UNKNOWN

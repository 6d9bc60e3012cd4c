"""Every branch of the loss check, on diffs and effects that no SQL has to be found for."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import apsw
import pytest

from d1_preflight.core.findings import Analysis, Effects, Finding, Kind, Reason, Risk, Severity
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.rows.loss_check import LossStatus, LossVerdict, check_losses, renames_by
from d1_preflight.core.rows.row_diff import Pairing, Renames, RowDiff, TableDiff
from d1_preflight.core.schema.schema import Schema

UNSEEN = "not explained by a statement"
NONE = Effects()
KEPT = TableDiff("t", 3, 3, pairing=Pairing.KEY)
"""Three rows before and after, in every test changed by what happened to them."""


def analysis(effects: Effects = NONE, kind: Kind = Kind.TRANSFORMATIVE) -> Analysis:
    return Analysis(kind, Risk.MEDIUM, "medium", effects=effects)


def judged(
    diff: TableDiff, found: Analysis | None = None, declared: Collection[str] = ()
) -> LossVerdict:
    (verdict,) = check_losses(RowDiff((diff,)), found or analysis(), declared)
    return verdict


UPDATED = Effects(rows_updated_in=("t",))
DELETED = Effects(rows_deleted_in=("t",))
REBUILT = Effects(tables_rebuilt=("t",))
INSERTED = Effects(rows_inserted_in=("t",))


def changed(
    *, lost: int = 0, added: int = 0, after: int | None = None, **more: object
) -> TableDiff:
    left = 3 - lost + added if after is None else after
    return replace(KEPT, lost=lost, added=added, after=left, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("effects", "diff", "words"),
    [
        # Keys that an UPDATE writes go and come in equal number; rows that went are no such keys.
        (UPDATED, changed(lost=2, added=0), f"rows lost, {UNSEEN}"),
        (UPDATED, changed(lost=2, added=1), f"rows lost, {UNSEEN}; rows added, {UNSEEN}"),
        (
            replace(UPDATED, rows_deleted_in=("t",)),
            changed(lost=1, added=1),
            f"rows lost, not declared; rows added, {UNSEEN}",
        ),
        (NONE, changed(lost=1, added=1), f"rows lost, {UNSEEN}; rows added, {UNSEEN}"),
        (DELETED, changed(lost=1), "rows lost, not declared"),
        (REBUILT, changed(lost=1), "rows lost, not declared"),
        (INSERTED, changed(lost=1), f"rows lost, {UNSEEN}"),
        (NONE, changed(added=1), f"rows added, {UNSEEN}"),
        (UPDATED, changed(added=1), f"rows added, {UNSEEN}"),
        (REBUILT, changed(added=1), "rows added by the rebuild, not declared"),
        (NONE, changed(nulled=(("a", 1),)), f"a nulled, {UNSEEN}"),
        (UPDATED, changed(nulled=(("a", 1),)), "a nulled, not declared"),
        (REBUILT, changed(nulled=(("a", 1),)), "a nulled, not declared"),
        (
            Effects(references_nulled_in=("t.a",)),
            changed(nulled=(("a", 1),)),
            "a nulled, not declared",
        ),
        (
            Effects(references_nulled_in=("t.b", "u.a")),
            changed(nulled=(("a", 1),)),
            f"a nulled, {UNSEEN}",
        ),
        (NONE, changed(altered=(("a", 1),)), f"a changed, {UNSEEN}"),
        (REBUILT, changed(altered=(("a", 1),)), "a changed, not declared"),
        (
            Effects(references_nulled_in=("t.a",)),
            changed(altered=(("a", 1),)),
            "a changed, not declared",
        ),
        (NONE, changed(columns_gone=("a",)), f"a dropped, {UNSEEN}"),
        (
            Effects(columns_dropped=("t.a",)),
            changed(columns_gone=("a",), dropped=(("a", 2),)),
            "a dropped, not declared",
        ),
        (REBUILT, changed(columns_gone=("a",), dropped=(("a", 2),)), "a dropped, not declared"),
        (
            Effects(columns_dropped=("t.b",)),
            changed(columns_gone=("a",)),
            f"a dropped, {UNSEEN}",
        ),
        (
            NONE,
            changed(issued_before=9, issued_after=3),
            f"ids above 3 are issued again (up to 9), {UNSEEN}",
        ),
        (NONE, replace(KEPT, before=None), f"appeared, {UNSEEN}"),
        (NONE, replace(KEPT, after=None, lost=3), f"dropped, {UNSEEN}"),
        (NONE, replace(KEPT, before=0, after=None), f"dropped, {UNSEEN}"),
        (
            Effects(tables_dropped=("t",)),
            replace(KEPT, after=None, lost=3),
            "dropped, not declared",
        ),
    ],
)
def test_what_is_not_predicted_or_not_declared_blocks(
    effects: Effects, diff: TableDiff, words: str
) -> None:
    verdict = judged(diff, analysis(effects))

    assert (verdict.status, verdict.words) == (LossStatus.UNEXPLAINED, words)
    assert verdict.blocks


@pytest.mark.parametrize(
    ("effects", "diff", "words"),
    [
        (UPDATED, changed(lost=2, added=2), "keys changed"),
        (UPDATED, changed(lost=1, added=2), "keys changed"),
        (UPDATED, changed(lost=2, added=2, pairing=Pairing.CONTENT), "rows changed"),
        (UPDATED, changed(altered=(("a", 1), ("b", 2))), "a changed; b changed"),
        (INSERTED, changed(added=2), "rows added"),
        (Effects(tables_created=("t",)), replace(KEPT, before=None), "created"),
        (Effects(tables_created=("T",)), replace(KEPT, before=None), "created"),
        (Effects(tables_dropped=("t",)), replace(KEPT, before=0, after=None), "dropped, was empty"),
        (
            Effects(columns_dropped=("t.a",)),
            changed(columns_gone=("a",)),
            "a dropped, held no value",
        ),
        (REBUILT, changed(columns_gone=("a",)), "a dropped, held no value"),
        (
            REBUILT,
            changed(issued_before=9, issued_after=3),
            "ids above 3 are issued again (up to 9)",
        ),
        (
            Effects(sequences_written=True),
            changed(issued_before=9_000, issued_after=3_000),
            "ids above 3,000 are issued again (up to 9,000)",
        ),
    ],
)
def test_what_the_effects_predict_and_nothing_loses_is_explained(
    effects: Effects, diff: TableDiff, words: str
) -> None:
    verdict = judged(diff, analysis(effects))

    assert (verdict.status, verdict.words) == (LossStatus.EXPLAINED, words)
    assert not verdict.blocks


DECLARABLE = [
    (DELETED, changed(lost=1), "rows lost"),
    (REBUILT, changed(added=1), "rows added by the rebuild"),
    (UPDATED, changed(nulled=(("a", 1),)), "a nulled"),
    (REBUILT, changed(altered=(("a", 1),)), "a changed"),
    (REBUILT, changed(columns_gone=("a",), dropped=(("a", 1),)), "a dropped"),
    (Effects(tables_dropped=("t",)), replace(KEPT, after=None, lost=3), "dropped"),
]


@pytest.mark.parametrize(("effects", "diff", "what"), DECLARABLE)
@pytest.mark.parametrize("kind", Kind)
def test_a_declared_loss_is_accepted_where_the_class_admits_it(
    kind: Kind, effects: Effects, diff: TableDiff, what: str
) -> None:
    verdict = judged(diff, analysis(effects, kind), ["T"])

    if kind in (Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE):
        assert (verdict.status, verdict.words) == (LossStatus.EXPLAINED, f"{what}, as declared")
    else:
        assert verdict.words == f"{what}, {UNSEEN}"
        assert verdict.blocks


@pytest.mark.parametrize(
    ("effects", "diff"),
    [
        (UPDATED, changed(lost=2, added=2)),
        (UPDATED, changed(altered=(("a", 1),))),
        (REBUILT, changed(issued_before=9, issued_after=3)),
    ],
)
@pytest.mark.parametrize("kind", [Kind.NONE, Kind.ADDITIVE, Kind.UNKNOWN])
def test_a_class_that_changes_no_value_explains_no_changed_one(
    kind: Kind, effects: Effects, diff: TableDiff
) -> None:
    assert judged(diff, analysis(effects, kind), ["t"]).blocks


def test_another_tables_declaration_is_none() -> None:
    verdict = judged(changed(lost=1), analysis(DELETED), ["u"])

    assert verdict.words == "rows lost, not declared"


def test_only_what_is_wrong_is_said_of_a_table_that_blocks() -> None:
    diff = changed(added=1, nulled=(("a", 1),))

    verdict = judged(diff, analysis(INSERTED))

    assert verdict.words == f"a nulled, {UNSEEN}"


def test_a_table_as_it_was_is_untouched() -> None:
    verdict = judged(changed(issued_before=3, issued_after=3))

    assert (verdict.status, verdict.words) == (LossStatus.UNTOUCHED, "")
    assert not verdict.blocks


def test_what_blocks_comes_first_and_the_untouched_last() -> None:
    tables = (
        KEPT,
        replace(changed(added=1), table="u"),
        replace(changed(lost=1), table="v"),
        replace(KEPT, table="w"),
    )

    found = check_losses(RowDiff(tables), analysis(Effects(rows_inserted_in=("u",))))

    assert [one.diff.table for one in found] == ["v", "u", "t", "w"]


def risk(*tables: str, rule: str = "delete-rows", rows_at_risk: bool = True) -> Finding:
    return Finding(
        rule, Severity.WARNING, 4, 1, "title", "message", tables=tables, rows_at_risk=rows_at_risk
    )


@pytest.mark.parametrize(
    ("findings", "reasons", "words"),
    [
        ((risk("t"),), (), "rows lost from line 4, not declared"),
        ((risk("T", rule="fk-cascade"),), (), "rows lost by cascade from line 4, not declared"),
        ((risk("u"),), (Reason('Deletes rows of "t".', 7),), "rows lost from line 7, not declared"),
        (
            (risk("t", rows_at_risk=False),),
            (Reason('Sets "t.a" to NULL.', 8),),
            "rows lost from line 8, not declared",
        ),
        ((risk("u"),), (Reason('Deletes rows of "tt".', 7),), "rows lost, not declared"),
    ],
)
def test_a_loss_names_the_line_that_it_comes_from(
    findings: tuple[Finding, ...], reasons: tuple[Reason, ...], words: str
) -> None:
    found = replace(analysis(DELETED), findings=findings, reasons=reasons)

    assert judged(changed(lost=1), found).words == words


def renames(prior: str, migration: str) -> Renames:

    connection = apsw.Connection(":memory:")
    connection.execute(prior)
    schema = Schema.from_connection(connection)
    connection.close()
    return renames_by(Migration.from_text("0001_a_b.sql", migration), schema)


TWO = "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b); CREATE TABLE u(id INTEGER PRIMARY KEY, a);"
BOTH = """ALTER TABLE u RENAME COLUMN a TO x; ALTER TABLE t RENAME COLUMN a TO x;
ALTER TABLE t RENAME COLUMN x TO y;"""
MOVED = """CREATE TABLE n(id INTEGER PRIMARY KEY, c, b); INSERT INTO n SELECT id, a, b FROM t;
DROP TABLE t; ALTER TABLE n RENAME TO t;"""


@pytest.mark.parametrize(
    ("migration", "tables", "columns"),
    [
        ("SELECT 1;", {}, {}),
        ("DROP TABLE t;", {}, {}),
        ("ALTER TABLE t RENAME TO T;", {}, {}),
        (
            "ALTER TABLE t RENAME TO v; ALTER TABLE v RENAME COLUMN a TO c;",
            {"t": "v"},
            {"t.a": "c"},
        ),
        ("ALTER TABLE T RENAME COLUMN A TO c;", {}, {"t.a": "c"}),
        (
            BOTH,
            {},
            {"u.a": "x", "t.a": "y"},
        ),
        (
            MOVED,
            {},
            {"t.a": "c"},
        ),
        ("ALTER TABLE t RENAME COLUMN missing TO c;", {}, {}),
    ],
)
def test_renames_follow_tables_and_columns(
    migration: str, tables: Mapping[str, str], columns: Mapping[str, str]
) -> None:
    found = renames(TWO, migration)

    assert dict(found.tables) == tables
    lowered = {place.lower(): name for place, name in found.columns.items()}
    assert lowered == columns


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (LossStatus.UNTOUCHED, "untouched"),
        (LossStatus.EXPLAINED, "explained"),
        (LossStatus.UNEXPLAINED, "not explained"),
    ],
)
def test_a_verdict_is_kept_by_these_words(status: LossStatus, word: str) -> None:
    assert status == word


@pytest.mark.parametrize(
    "migration",
    [
        "DROP TABLE t; CREATE TABLE n(id INTEGER PRIMARY KEY, c, b);",
        "CREATE TABLE n(id, c); INSERT INTO n SELECT id, a FROM t; DROP TABLE t;",
        """CREATE TABLE n(id INTEGER PRIMARY KEY, b); INSERT INTO n SELECT id, b FROM t;
        DROP TABLE t; ALTER TABLE n RENAME TO t;""",
        """CREATE TABLE n(id INTEGER PRIMARY KEY, A, b); INSERT INTO n SELECT id, a, b FROM t;
        DROP TABLE t; ALTER TABLE n RENAME TO t;""",
    ],
    ids=["dropped", "copied and dropped", "without a column", "in other letters"],
)
def test_what_is_gone_or_keeps_its_name_is_renamed_to_nothing(migration: str) -> None:
    assert renames(TWO, migration) == Renames({}, {})


@pytest.mark.parametrize(
    ("diff", "words"),
    [
        (
            changed(content="posts", strays=1_200, lost=1),
            (
                "1,200 entries and rows of posts have lost each other: "
                "INSERT INTO t(t) VALUES ('rebuild')"
            ),
        ),
        (changed(content="posts", lost=1), "follows posts"),
        (changed(content="posts", added=1), "follows posts"),
        (changed(content="posts"), ""),
    ],
)
def test_an_index_follows_the_rows_of_its_content(diff: TableDiff, words: str) -> None:
    verdict = judged(diff)

    assert verdict.words == words
    assert verdict.blocks is bool(diff.strays)
    assert (verdict.status is LossStatus.UNTOUCHED) is not bool(words)


def test_of_two_columns_that_go_the_one_with_values_is_declared() -> None:
    found = analysis(Effects(columns_dropped=("t.a", "t.b")))

    verdict = judged(changed(columns_gone=("a", "b"), dropped=(("b", 1),)), found)

    assert verdict.words == "b dropped, not declared"

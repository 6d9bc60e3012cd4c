"""Every end of copy and rehearsal: what the migration does not say it does is never a pass."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from actions.conftest import Walked
from actions.fake_target import (
    ADDITIVE,
    EARLIER,
    NAME,
    UUID,
    Bench,
    cut,
    failed,
    lost,
    refused,
    replied,
)
from d1_preflight.actions.rehearsal import diff_facts, explained_facts
from d1_preflight.actions.schema_changes import is_declared
from d1_preflight.adapters.local import LocalDatabases
from d1_preflight.core.analysis import analyse, schema_after
from d1_preflight.core.errors import ProjectError
from d1_preflight.core.findings import Analysis, Effects, Finding, Kind, Reason, Risk, Severity
from d1_preflight.core.ports import Evidence
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.project.settings import Data, Settings
from d1_preflight.core.record.change_facts import MeasuredLoss, RehearsalFacts, row_counts
from d1_preflight.core.record.record import Status
from d1_preflight.core.rows.row_diff import Pairing, RowDiff, TableDiff
from d1_preflight.core.schema.schema import Change, Schema, SchemaObject
from sampling import sampled

REHEARSAL = (".preflight", "rehearsal", "d1")


def and_then(bench: Bench, sql: str) -> Callable[[], object]:
    """The rehearsal does more than the migration says."""
    return lambda: bench.local.run_sql(bench.folder.joinpath(*REHEARSAL), sql)


HIDDEN = {
    "an index that goes": ("DROP INDEX members_team", "index members_team"),
    "another index": (
        "DROP INDEX members_team; CREATE INDEX members_team ON members(role)",
        "index members_team",
    ),
    "another trigger": (
        "DROP TRIGGER logged; CREATE TRIGGER logged AFTER INSERT ON members BEGIN SELECT 1; END",
        "trigger logged",
    ),
    "a trigger that goes": ("DROP TRIGGER logged", "trigger logged"),
    "a view that goes": ("DROP VIEW roles", "view roles"),
    "another view": (
        "DROP VIEW roles; CREATE VIEW roles AS SELECT id FROM members",
        "view roles",
    ),
}


async def test_the_rehearsal_keeps_what_every_table_held_before_and_after(walked: Walked) -> None:
    bench = await walked("rehearsed", "DELETE FROM members WHERE id = 3;\n", "destructive")

    facts = RehearsalFacts.from_attempt(await bench.step("rehearsed"))

    before = row_counts(facts.counts_before)
    assert before == {"teams": 2, "members": 3, "log": 0 + before["log"]}
    assert row_counts(facts.counts_after) == {**before, "members": 2}


@pytest.mark.parametrize(
    ("confirmed", "ok"),
    [
        (MeasuredLoss(table="Members", lost=1), True),
        (MeasuredLoss(table="members", lost=2, nulled=0), True),
        (MeasuredLoss(table="members", nulled=5), False),
        (MeasuredLoss(table="members"), False),
        (MeasuredLoss(table="teams", lost=0), True),
    ],
)
def test_no_more_may_be_lost_than_was_seen_when_it_was_declared(
    confirmed: MeasuredLoss, *, ok: bool
) -> None:
    lost = RowDiff((TableDiff("members", 3, 2, lost=1, pairing=Pairing.KEY),))
    sql = "DELETE FROM members WHERE id = 3;"
    analysis = analyse(
        Migration.from_text(NAME, sql),
        schema_after([Migration.from_text("0001_prior.sql", EARLIER)]),
        whole=True,
    )

    (change,) = explained_facts(lost, analysis, ["members"], [confirmed])

    assert change.ok is ok
    assert change.undeclared is None


@pytest.mark.parametrize(("after", "kept"), [(5, (9, 5)), (9, (None, None)), (None, (None, None))])
def test_a_mark_that_falls_is_kept_with_where_it_fell_from(
    after: int | None, kept: tuple[int | None, int | None]
) -> None:
    fallen = TableDiff("counters", 1, 1, issued_before=9, issued_after=after)

    (change,) = diff_facts(RowDiff((fallen,)))

    assert (change.issued_before, change.issued_after) == kept
    assert change.ok is (after != 5)


@pytest.mark.parametrize(("sql", "name"), sampled(HIDDEN.values(), 2, HIDDEN))
async def test_an_object_that_changes_without_a_word_fails(
    walked: Walked, sql: str, name: str
) -> None:
    bench = await walked("rehearsed", ADDITIVE, "additive")
    bench.target.then["rehearse"] = and_then(bench, sql)

    attempt = await bench.step("rehearsed")

    assert attempt.status is Status.FAILED
    assert attempt.words.startswith("Not declared: ")
    assert name in attempt.words
    assert attempt.words.endswith("Keep it as it was, or change it in its own migration.")


@pytest.mark.parametrize(
    ("sql", "words"),
    sampled(
        [
            (
                "DELETE FROM members WHERE id = 3",
                "members: rows lost, not explained by a statement",
            ),
            (
                "UPDATE members SET role = NULL",
                "members: role nulled, not explained by a statement",
            ),
            (
                "UPDATE members SET role = 'x'",
                "members: role changed, not explained by a statement",
            ),
            ("INSERT INTO log VALUES ('more')", "log: rows added, not explained by a statement"),
            ("DROP TABLE log", "log: dropped, not explained by a statement"),
            ("CREATE TABLE more(a)", "more: appeared, not explained by a statement"),
        ],
        2,
    ),
)
async def test_rows_and_values_that_move_without_a_word_fail(
    walked: Walked, sql: str, words: str
) -> None:
    bench = await walked("rehearsed", ADDITIVE, "additive")
    bench.target.then["rehearse"] = and_then(bench, sql)

    attempt = await bench.step("rehearsed")

    assert attempt.status is Status.FAILED
    assert attempt.words.startswith(words)


def forgotten(bench: Bench) -> Callable[[], object]:
    return and_then(bench, f"DELETE FROM d1_migrations WHERE name = '{NAME}'")


async def test_a_migration_that_the_copy_refuses_fails_with_the_reason(walked: Walked) -> None:
    bench = await walked("rehearsed")
    bench.target.then["rehearse"] = forgotten(bench)
    bench.target.instead["rehearse"] = failed("no such column: x: SQLITE_ERROR")

    attempt = await bench.step("rehearsed")

    assert attempt.status is Status.FAILED
    assert attempt.words.startswith("It fails on a copy of the target: The database refused")
    assert "no such column: x" in attempt.words
    assert attempt.facts == {"wrangler_ms": 5}


async def test_an_exit_without_an_error_but_no_ledger_row_fails(walked: Walked) -> None:
    bench = await walked("rehearsed")
    bench.target.then["rehearse"] = forgotten(bench)

    attempt = await bench.step("rehearsed")

    assert attempt.status is Status.FAILED
    assert attempt.words == "It fails on a copy of the target: the ledger has no row for it"


async def test_what_wrangler_calls_failed_is_no_rehearsal(walked: Walked) -> None:
    bench = await walked("rehearsed")
    bench.target.instead["rehearse"] = lambda ran: replace(ran, exit_code=1)

    attempt = await bench.step("rehearsed")

    assert attempt.status is Status.FAILED
    assert attempt.words.startswith("It was applied to the copy, but wrangler failed: ")


CANARY = "canary271828"
RAISES = """CREATE TRIGGER held BEFORE UPDATE ON members BEGIN
  SELECT RAISE(ABORT, 'no ' || OLD.role); END;
"""


async def test_a_reason_that_may_quote_a_row_is_not_kept(walked: Walked) -> None:
    bench = await walked("copied", RAISES, "additive")
    await bench.walk("rehearsed")
    bench.target.then["rehearse"] = forgotten(bench)
    bench.target.instead["rehearse"] = failed(f"no {CANARY}: SQLITE_CONSTRAINT")

    attempt = await bench.step("rehearsed")

    assert attempt.status is Status.FAILED
    assert CANARY not in attempt.words
    assert "may quote a row" in attempt.words
    assert bench.target.kept[-1] is None


class Untimed(LocalDatabases):
    """A machine on which the SQL alone cannot be timed."""

    def run_sql(self, persist: Path, sql: str) -> int:
        raise ProjectError(f"SQLite refuses it in {persist.name}.", hint=sql[:1])


@pytest.mark.parametrize(
    ("milliseconds", "status"), [(2_300 + 10_000, Status.PROVED), (2_300 + 10_001, Status.FAILED)]
)
async def test_a_migration_that_takes_a_third_of_d1s_time_fails(
    walked: Walked, milliseconds: int, status: Status
) -> None:
    bench = await walked("rehearsed")
    bench.local = Untimed(UUID)
    bench.opened()
    bench.target.instead["rehearse"] = lambda ran: replace(ran, milliseconds=milliseconds)

    attempt = await bench.step("rehearsed")

    assert attempt.status is status
    assert attempt.facts["predicted_ms"] == milliseconds - 2_300
    assert "sql_ms" not in attempt.facts
    if status is Status.FAILED:
        assert attempt.words == "SQL: 10.0 s locally; D1 stops a query after 30 s."


async def test_answers_that_the_targets_schema_outdates_are_given_again(walked: Walked) -> None:
    bench = await walked("copied", ADDITIVE, "additive")
    bench.target.connection.execute("ALTER TABLE teams ADD COLUMN billing TEXT")
    await bench.step("copied")

    syntax = await bench.step("syntax")

    assert syntax.status is Status.FAILED
    assert "duplicate column name: billing" in syntax.words


# The copy.


async def test_a_migration_that_the_ledger_has_is_not_rehearsed(walked: Walked) -> None:
    bench = await walked("copied")
    bench.target.apply(NAME, bench.files.own.text)

    attempt = await bench.step("copied")

    assert attempt.status is Status.FAILED
    assert "is already in the target's ledger" in attempt.words


async def test_a_target_larger_than_the_settings_allow_is_not_copied(walked: Walked) -> None:
    bench = await walked("copied", settings=Settings(data=Data(copy_limit_mb=2)))
    bench.target.connection.execute("INSERT INTO log VALUES (zeroblob(1100000))")

    attempt = await bench.step("copied")

    assert attempt.status is Status.FAILED
    assert attempt.words.startswith("The target's rows exceed the limit of 2 MB for a copy")
    assert not bench.folder.joinpath(".preflight", "copy", "rows").exists()


async def test_rows_that_come_while_they_are_read_are_said(walked: Walked) -> None:
    bench = await walked("copied")
    reads = iter([None, lambda: bench.target.connection.execute("INSERT INTO log VALUES ('x')")])
    bench.target.then["read"] = lambda: happens() if (happens := next(reads, None)) else None

    attempt = await bench.step("copied")

    assert attempt.status is Status.PROVED
    assert attempt.words == "8 rows in 3 tables."


async def test_another_ledger_in_the_middle_of_the_copy_keeps_nothing(walked: Walked) -> None:
    bench = await walked("copied")
    bench.first_rows = 20
    bench.opened()
    bench.target.connection.execute(
        "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 30)"
        " INSERT INTO log SELECT i FROM s"
    )
    reads = iter([lambda: bench.target.apply("0001_z.sql", "SELECT 1")])
    bench.target.then["read"] = lambda: happens() if (happens := next(reads, None)) else None

    attempt = await bench.step("copied")

    assert attempt.status is Status.UNKNOWN
    assert attempt.words.startswith("The ledger changed while the rows were copied")
    assert not bench.folder.joinpath(".preflight", "copy", "rows").exists()


async def test_a_schema_that_does_not_stand_still_is_not_copied(walked: Walked) -> None:
    bench = await walked("copied")
    numbers = iter(range(99))
    bench.target.first["read"] = lambda: bench.target.connection.execute(
        f"CREATE TABLE more{next(numbers)}(a)"
    )

    attempt = await bench.step("copied")

    assert attempt.status is Status.UNKNOWN
    assert attempt.words.startswith("The target's schema keeps changing while it is read.")


async def test_a_target_with_other_tables_than_the_files_make_is_copied(walked: Walked) -> None:
    bench = await walked("copied")
    bench.target.connection.execute("DROP TABLE log; CREATE TABLE extra(a); DROP TRIGGER logged")

    attempt = await bench.step("copied")

    assert attempt.status is Status.PROVED
    assert attempt.words == "5 rows in 3 tables."


@pytest.mark.parametrize("answer", [cut, lost])
async def test_a_copy_that_breaks_off_leaves_nothing(
    walked: Walked, answer: Callable[[Evidence], Evidence]
) -> None:
    bench = await walked("copied")
    bench.target.instead["read"] = answer

    attempt = await bench.step("copied")

    assert attempt.status is Status.UNKNOWN
    assert not bench.folder.joinpath(".preflight", "copy", "rows").exists()


# Which database answers.


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ({"uuid": "b" * 36}, f"got the database {'b' * 36}"),
        ({"uuid": 7}, "got no uuid"),
        ({}, "got no uuid"),
        ("nothing", "got no uuid"),
    ],
)
async def test_another_database_that_answers_is_believed_nothing(
    walked: Walked, reply: object, said: str
) -> None:
    bench = await walked("copied")
    bench.target.instead["info"] = lambda ran: replied(ran.argv, reply)

    attempt = await bench.step("copied")

    assert attempt.status is Status.UNKNOWN
    assert attempt.words.startswith(
        f"Another database answered: preflight asked {UUID} and {said}."
    )
    assert bench.session.environment.cache.observation is None


async def test_an_identity_that_cannot_be_asked_is_unknown(walked: Walked) -> None:
    bench = await walked("copied")
    bench.target.instead["info"] = cut

    assert (await bench.step("copied")).status is Status.UNKNOWN


async def test_the_identity_is_asked_once_and_again_where_the_ledger_is_another(
    walked: Walked,
) -> None:
    bench = await walked("copied")
    bench.target.uuid = UUID.upper()
    await bench.step("copied")
    assert bench.target.commands.count("info") == 1
    await bench.step("copied")
    assert bench.target.commands.count("info") == 1

    bench.target.connection.execute("UPDATE d1_migrations SET name = '0001_other.sql'")
    bench.target.uuid = "b" * 36
    attempt = await bench.step("copied")

    assert bench.target.commands.count("info") == 2
    assert attempt.words.startswith("Another database answered")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda ran: replied(ran.argv, []), "answers, got 0."),
        (lambda ran: replace(ran, stdout="", shown=""), "wrangler printed no JSON result."),
        (
            lambda ran: replied(
                ran.argv, [{"success": True, "results": [{}]}] * len(json.loads(ran.stdout))
            ),
            "The database's answer could not be read",
        ),
        (lambda ran: refused(ran.argv, "no: SQLITE_ERROR"), "The database refused the statement"),
    ],
)
async def test_an_answer_that_is_none_is_unknown(
    walked: Walked, answer: Callable[[Evidence], Evidence], words: str
) -> None:
    bench = await walked("copied")
    bench.target.instead["read"] = answer

    attempt = await bench.step("copied")

    assert attempt.status is Status.UNKNOWN
    assert words in attempt.words


async def test_a_target_without_a_ledger_has_an_empty_one(walked: Walked) -> None:
    bench = await walked("copied")
    bench.target.connection.execute("DROP TABLE d1_migrations")

    attempt = await bench.step("copied")

    assert attempt.status is Status.PROVED
    assert attempt.facts["ledger_rows"] == 0
    assert attempt.facts["pending"] == ("0001_prior_state.sql", NAME)


# What counts as said by the migration.


@dataclass(frozen=True)
class Says:
    """A migration's analysis, as far as it says something about the schema."""

    effects: Effects = field(default_factory=Effects)
    reasons: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    def declares(self, change: Change) -> bool:
        analysis = Analysis(
            Kind.TRANSFORMATIVE, Risk.MEDIUM, "medium", effects=self.effects,
            reasons=tuple(Reason(text, 1) for text in self.reasons), findings=self.findings,
        )  # fmt: skip
        prior = Schema((SchemaObject("index", "i", "t", "CREATE INDEX i ON t(a)"),))
        return is_declared(change, analysis, prior)


def named(*tables: str, rows_at_risk: bool = False) -> Finding:
    return Finding("r", Severity.WARNING, 1, 1, "t", "m", tables=tables, rows_at_risk=rows_at_risk)


REMOVED = "removed"


@pytest.mark.parametrize(
    ("change", "says", "declared"),
    [
        (Change("added", "table", "t"), Says(), True),
        (Change(REMOVED, "table", "t"), Says(), False),
        (Change(REMOVED, "table", "t"), Says(Effects(tables_dropped=("t",))), True),
        (Change(REMOVED, "table", "t"), Says(Effects(tables_dropped=("u",))), False),
        (Change(REMOVED, "column", "t.a"), Says(Effects(tables_dropped=("t",))), True),
        (Change(REMOVED, "column", "t.a"), Says(Effects(columns_dropped=("t.a",))), True),
        (Change(REMOVED, "column", "t.a"), Says(Effects(columns_renamed=("t.a",))), True),
        (Change(REMOVED, "column", "t.a"), Says(Effects(columns_dropped=("t.b",))), False),
        (Change("changed", "column", "t.a", "TEXT", "TEXT NOT NULL"), Says(), True),
        (Change("changed", "column", "t.a", "TEXT NOT NULL", "TEXT"), Says(), False),
        (Change("changed", "column", "t.a", "TEXT", "INTEGER NOT NULL"), Says(), False),
        (Change("changed", "index", "i", "TEXT", "TEXT NOT NULL"), Says(), False),
        (Change(REMOVED, "index", "i"), Says(), False),
        (Change(REMOVED, "index", "i"), Says(Effects(tables_dropped=("t",))), True),
        (Change(REMOVED, "index", "i"), Says(reasons=('Drops index "i".',)), True),
        (Change(REMOVED, "index", "i"), Says(reasons=('Changes index "i".',)), False),
        (Change("changed", "index", "i"), Says(reasons=('Changes index "i".',)), True),
        (Change(REMOVED, "trigger", "g"), Says(reasons=('Drops trigger "g".',)), True),
        (Change(REMOVED, "view", "v"), Says(reasons=('Drops view "v".',)), True),
        (Change(REMOVED, "view", "v"), Says(reasons=('Drops view "w".',)), False),
        (Change(REMOVED, "view", "v"), Says(Effects(objects_dropped=("v",))), True),
        (Change("changed", "trigger", "g"), Says(Effects(objects_dropped=("g",))), True),
        (Change(REMOVED, "view", "v"), Says(Effects(objects_dropped=("w",))), False),
        (Change(REMOVED, "column", "v"), Says(Effects(objects_dropped=("v",))), False),
        (Change(REMOVED, "column", "t.a"), Says(reasons=('Drops column "t.a".',)), False),
        (Change(REMOVED, "index", "i"), Says(findings=(named("t"),)), True),
        (Change(REMOVED, "index", "i"), Says(findings=(named("i"),)), True),
        (Change(REMOVED, "index", "i"), Says(findings=(named("u"),)), False),
        (Change("changed", "column", "t.a", "TEXT", "BLOB"), Says(findings=(named("t"),)), True),
        (Change(REMOVED, "table", "t"), Says(findings=(named("t", rows_at_risk=True),)), False),
    ],
)  # fmt: skip
def test_a_change_of_the_schema_is_said_by_an_effect_a_reason_or_a_finding(
    change: Change, says: Says, *, declared: bool
) -> None:
    assert says.declares(change) is declared

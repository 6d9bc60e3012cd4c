"""The step about D1's engine rests on what the engine answered, whatever rule explains it."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apsw
import pytest

from d1_preflight.actions.classification import (
    answer_findings,
    finding_prompts,
    judged_again,
    stale_answers,
)
from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.actions.rehearsal import check_syntax
from d1_preflight.actions.target_cache import TargetCache
from d1_preflight.adapters.local import LocalDatabases
from d1_preflight.core.checklist.checklist import Answer
from d1_preflight.core.checklist.file import shipped_checklist
from d1_preflight.core.engine.sandbox import Sandbox
from d1_preflight.core.findings import Analysis, Kind, Risk, Severity
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.record.change_facts import ClassFacts
from d1_preflight.core.record.record import DatabaseRef, Outcome, Record, Status
from d1_preflight.core.rules.catalog import rule_catalog
from d1_preflight.core.rules.engine.refusals import RULES as REFUSALS
from d1_preflight.core.target.snapshot import LedgerRow
from sampling import sampled
from test_rules import LONG, cases, prior_of

CHECKLIST = shipped_checklist()
BY_RULE = sorted(rule for rule, words in rule_catalog().items() if words.refusal)
LEDGER = LedgerRow(1, "0001_prior_state.sql", "2026-11-23 14:00:00")


@dataclass(slots=True)
class Bench:
    """A project with a copy of its target, made of plain SQL."""

    folder: Path
    name: str = "0002_a_b.sql"

    @property
    def local(self) -> LocalDatabases:
        return LocalDatabases("database-id")

    def copy(self, prior: str, rows: str = "") -> None:
        schema = prior_of(prior)
        persist = self.folder / "copy" / "d1"
        self.local.make(persist, schema, (), (LEDGER,))
        connection = apsw.Connection(str(self.local.file(persist)))
        connection.execute(rows)
        connection.close()

    def context(self, sql: str, **answers: Answer) -> StepContext:
        migration = Migration.from_text(self.name, sql)
        files: Any = SimpleNamespace(files=lambda: [migration], migrations=lambda: [migration])
        project: Any = SimpleNamespace(database=SimpleNamespace(migrations_table="d1_migrations"))
        none: Any = None  # the ports that these steps do not use
        environment = Environment(
            project=project, name=self.name, target="remote", workspace=self.folder,
            operator="ana@example.com", versions={}, files=files, store=none, signer=none,
            clock=none, wrangler=none, local=self.local, web=none, source=none,
            cache=TargetCache(),
        )  # fmt: skip
        record = Record(self.name, DatabaseRef("shop", "id", "", "remote"), "", {}, {})
        return StepContext(
            environment=environment, record=record, checklist=CHECKLIST, kind=Kind.UNKNOWN,
            step=CHECKLIST.step("syntax"), answers=answers,
        )  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def whole(case: dict[str, object]) -> str:
    sql = str(case["sql"])
    for mark, text in LONG.items():
        sql = sql.replace(mark, text)
    return sql


async def tried(bench: Bench, sql: str, prior: str = "", rows: str = "") -> Outcome:
    bench.copy(prior, rows)
    return await check_syntax(bench.context(sql))


REFUSED = [(rule, case) for rule, case in cases("find") if rule in BY_RULE]
BEHIND = [(before, *refused) for refused in REFUSED for before in ("", "DROP TABLE gone; ")]


@pytest.mark.parametrize(("destructive", "rule", "case"), sampled(BEHIND, 9))
async def test_no_refusal_of_any_rule_is_proved(
    bench: Bench, destructive: str, rule: str, case: dict[str, object]
) -> None:
    prior = f"CREATE TABLE gone(x); {case.get('prior', '')}"
    outcome = await tried(bench, destructive + whole(case), prior)
    assert outcome.status is Status.FAILED, (rule, outcome.words)


@pytest.mark.parametrize(("rule", "case"), sampled(REFUSED, 6))
async def test_no_justification_answers_a_refusal(
    bench: Bench, rule: str, case: dict[str, object]
) -> None:
    bench.copy(str(case.get("prior", "")))
    context = bench.context(whole(case))
    asked = {prompt.key for prompt in finding_prompts(context)}
    assert not {key for key in asked if key.startswith(f"{rule}@")}
    declared = context.environment.analysis().effects.tables_dropped
    answered = replace(context, answers=dict.fromkeys(asked, "fine") | {"losses": declared})
    outcome = await answer_findings(answered)
    assert not outcome.status.is_answered


def accepted(case: dict[str, object]) -> bool:
    """True when the engine runs the case whole, on a database without rows."""
    sandbox = Sandbox(prior_of(str(case.get("prior", ""))))
    run = sandbox.run(whole(case), name="0002_a_b.sql")
    sandbox.close()
    failed = any(trace.error or trace.data_dependent_error for trace in run.statements)
    return not (failed or run.unrecorded or run.commit_error)


ACCEPTED = [(rule, case) for rule, case in cases("pass") if rule in BY_RULE]
NOT_BY_RULE = [(r, c) for r, c in [*cases("find"), *cases("pass")] if r not in BY_RULE]


@pytest.mark.parametrize(("rule", "case"), sampled(NOT_BY_RULE, 40))
async def test_what_the_engine_accepts_is_proved_and_nothing_else(
    bench: Bench, rule: str, case: dict[str, object]
) -> None:
    outcome = await tried(bench, whole(case), str(case.get("prior", "")))
    if not accepted(case):
        assert outcome.status is not Status.PROVED, (rule, outcome.words)
        return
    understood = bench.context(whole(case)).environment.analysis().kind is not Kind.UNKNOWN
    wanted = Status.PROVED if understood else Status.UNKNOWN
    assert outcome.status is wanted, (rule, outcome.words)


@pytest.mark.parametrize(("rule", "case"), sampled(ACCEPTED, 10))
async def test_the_way_that_a_refusal_tells_is_proved(
    bench: Bench, rule: str, case: dict[str, object]
) -> None:
    outcome = await tried(bench, whole(case), str(case.get("prior", "")))
    assert outcome.status is Status.PROVED, (rule, outcome.words)


def test_every_rule_about_a_refusal_says_so_in_its_data() -> None:
    by_engine = {
        rule.__name__.replace("_", "-") for rule in REFUSALS
    } - {"not-followed", "needs-rows", "prior-incomplete"}  # fmt: skip
    assert by_engine < set(BY_RULE)
    assert {rule_catalog()[rule].severity for rule in BY_RULE} == {Severity.BLOCKING}


USERS = "CREATE TABLE users(id INTEGER PRIMARY KEY, email TEXT, role TEXT);"
ROW = "INSERT INTO users VALUES (1, 'a', 'b'), (2, 'a', 'b');"


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE users; ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0);",
        "DROP TABLE d1_migrations;",
        "ALTER TABLE d1_migrations RENAME TO ledger;",
        "INSERT INTO d1_migrations(name) VALUES ('0002_a_b.sql');",
        "CREATE TRIGGER t AFTER INSERT ON d1_migrations BEGIN SELECT RAISE(ABORT, 'no'); END;",
        "CREATE TRIGGER t BEFORE INSERT ON d1_migrations BEGIN SELECT RAISE(IGNORE); END;",
        "CREATE TABLE a(x); EXPLAIN QUERY PLAN",
        "CREATE TABLE a(x); EXPLAIN --",
        "CREATE TABLE a(x);\n/* never closed",
        "CREATE TABLE a(x);\n-- preflight: allow final-semicolon-missing — so be it\nSELECT 1",
        "-- preflight: allow transaction-statement — we want it\nBEGIN; CREATE TABLE a(x); COMMIT;",
        "-- preflight: allow add-column-unique — x\nALTER TABLE users ADD COLUMN a TEXT UNIQUE;",
    ],
)
async def test_what_is_refused_or_not_recorded_is_never_proved(bench: Bench, sql: str) -> None:
    prior = USERS + "CREATE TABLE t(id);"
    assert (await tried(bench, sql, prior)).status is Status.FAILED
    analysis = bench.context(sql).environment.analysis()
    assert analysis.kind in (Kind.UNKNOWN, Kind.DESTRUCTIVE)
    declared = (*analysis.effects.tables_dropped,)
    outcome = await answer_findings(bench.context(sql, losses=declared, loss_reason="meant"))
    assert outcome.status is Status.FAILED


@pytest.mark.parametrize(
    "sql",
    sampled(
        [
            "ALTER TABLE users ADD COLUMN a TEXT NOT NULL;",
            "ALTER TABLE users ADD COLUMN a TEXT DEFAULT CURRENT_TIMESTAMP;",
            "ALTER TABLE users ADD COLUMN a INTEGER REFERENCES users(id) DEFAULT 1;",
            "ALTER TABLE users ADD COLUMN a TEXT AS (email) STORED;",
            "ALTER TABLE users ADD COLUMN a INTEGER DEFAULT 0 CHECK (a > 0);",
            "CREATE UNIQUE INDEX users_email ON users(email);",
            "UPDATE users SET role = 'x' WHERE email LIKE '" + "x" * 51 + "';",
            "INSERT INTO users VALUES (1, 'c', 'd');",
        ],
        2,
    ),
)
async def test_a_refusal_that_depends_on_rows_is_seen_with_the_rows(bench: Bench, sql: str) -> None:
    with_rows = await tried(bench, sql, USERS, ROW)
    assert with_rows.status is Status.FAILED
    assert with_rows.words.startswith("With the rows of the target: Line 1: ")
    assert (await tried(bench, sql, USERS)).status is Status.PROVED


async def test_a_statement_that_needs_rows_is_proved_where_they_are(bench: Bench) -> None:
    prior = USERS + "CREATE TABLE notes(user INTEGER REFERENCES users(id));"
    sql = "INSERT INTO notes VALUES (1);"
    assert (await tried(bench, sql, prior, ROW)).status is Status.PROVED
    assert (await tried(bench, sql, prior)).status is Status.FAILED
    deferred = "PRAGMA defer_foreign_keys = on; INSERT INTO notes VALUES (9);"
    outcome = await tried(bench, deferred, prior, ROW)
    assert (outcome.status, "at the commit" in outcome.words) == (Status.FAILED, True)


async def test_without_the_copy_the_answer_is_unknown(bench: Bench) -> None:
    outcome = await check_syntax(bench.context("CREATE TABLE a(x);"))
    assert outcome.status is Status.UNKNOWN
    assert "Copy the target" in outcome.words


async def test_a_refusal_on_a_schema_that_was_not_read_is_unknown(bench: Bench) -> None:
    sql = "ALTER TABLE users ADD COLUMN salt TEXT;"
    outcome = await answer_findings(bench.context(sql))
    assert outcome.status is Status.ATTESTED
    assert 'No file makes "users"' in outcome.words
    assert "The rehearsal judges it" in outcome.words
    bench.copy(USERS)
    assert (await answer_findings(bench.context(sql))).status.is_answered


def test_a_refusal_on_the_targets_schema_reopens_the_classification(bench: Bench) -> None:
    bench.copy(USERS)
    assert "D1" not in stale_answers(bench.context("CREATE TABLE a(x);"))
    assert "already exists" in stale_answers(bench.context("CREATE TABLE users(x);"))


def test_an_unknown_class_is_judged_again_on_the_targets_schema(bench: Bench) -> None:
    add = "ALTER TABLE users ADD COLUMN salt TEXT;"
    context = bench.context(add)
    unknown = ClassFacts(found=Kind.UNKNOWN, kind=Kind.DESTRUCTIVE, risk="high")
    step = CHECKLIST.step("class")
    at = datetime(2026, 11, 23, tzinfo=UTC)
    begun = context.record.begin(step, {}, by="ana@example.com", at=at)
    record = begun.finish(Outcome(Status.ATTESTED, "raised", unknown), at=at)
    context = replace(context, record=record)
    assert judged_again(context) == {}
    bench.copy(USERS)
    context = replace(bench.context(add), record=record)
    assert stale_answers(context) == ""
    again = judged_again(context)["class"]
    assert again.status is Status.PROVED
    facts = ClassFacts.read(again.facts.written())
    assert (facts.found, facts.kind, facts.risk) == (Kind.ADDITIVE, Kind.ADDITIVE, "low")
    assert facts.source.startswith("the target's schema, as copied (")


async def test_the_words_of_a_trigger_are_not_kept(bench: Bench) -> None:
    prior = USERS + (
        "CREATE TRIGGER t BEFORE DELETE ON users"
        " BEGIN SELECT RAISE(ABORT, 'no: ' || OLD.email); END;"
    )
    row = "INSERT INTO users VALUES (1, 'ana@example.com', 'b');"
    outcome = await tried(bench, "DELETE FROM users WHERE id = 1;", prior, row)
    assert outcome.status is Status.FAILED
    assert "ana@example.com" not in outcome.words


async def test_the_copy_stays_as_it_was_and_the_trial_leaves_nothing(bench: Bench) -> None:
    await tried(bench, "UPDATE users SET role = 'x'; DROP TABLE users;", USERS, ROW)
    assert bench.local.counts(bench.folder / "copy" / "d1") == {"users": 2}
    assert not (bench.folder / "trial" / "d1").exists()


def test_an_analysis_without_a_verdict_is_undecided() -> None:
    assert Analysis(Kind.ADDITIVE, Risk.LOW, "low").engine.undecided

"""What is asked and found before the target is touched, about the time, and at GO."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest

from actions.conftest import Walked
from actions.fake_target import ADDITIVE, DESTRUCTIVE, HEADER, NAME, Bench
from core.record_values import ANA, KEYS, START
from d1_preflight.actions.classification import class_prompts, finding_prompts
from d1_preflight.actions.go import go_prompts, prepare_signer
from d1_preflight.actions.timing import dashboard_plan
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.findings import Severity
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.project.naming import Naming
from d1_preflight.core.project.setting_types import Freeze
from d1_preflight.core.project.settings import Settings, Users
from d1_preflight.core.record.record import Status
from d1_preflight.core.record.signed_plan import SignedPlan
from d1_preflight.session import Session
from plain.fakes import ReadySigner


def with_text(bench: Bench, text: str) -> Session:
    bench.files.own = Migration.from_text(NAME, text)
    return bench.opened()


@pytest.mark.parametrize(
    ("kind", "sql", "status", "words"),
    [
        (
            "ADDITIVE",
            DESTRUCTIVE,
            Status.FAILED,
            "The header declares “additive”; the SQL is destructive: line 8: drops column",
        ),
        (
            "DESTRUCTIVE (a column)",
            DESTRUCTIVE,
            Status.PROVED,
            "Complete; declared destructive, found destructive.",
        ),
        (
            "ADDITIVE",
            "SELEC 1;\n",
            Status.UNKNOWN,
            "The header declares additive; the effect of the SQL is not certain.",
        ),
        ("ADDITIVE.", "SELECT 1;\n", Status.PROVED, "Complete; declared additive, found none."),
    ],
)
async def test_the_header_declares_what_was_found(
    tmp_path: Path, kind: str, sql: str, status: Status, words: str
) -> None:
    bench = Bench(tmp_path)
    with_text(bench, HEADER.format(name=NAME, kind=kind) + sql)

    attempt = await bench.step("header")

    assert attempt.status is status
    assert attempt.words.startswith(words)


async def test_a_header_that_lacks_a_line_names_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with_text(bench, "-- Author: Ana\n" + ADDITIVE)

    attempt = await bench.step("header")

    assert attempt.status is Status.FAILED
    assert attempt.words.startswith("The header lacks: ")
    assert "Author" not in attempt.words
    assert attempt.words.endswith("Edit the file, or: preflight header NAME")


@pytest.mark.parametrize(
    ("sql", "kind", "choices"),
    [
        (ADDITIVE, "additive", ("additive", "transformative", "destructive")),
        ("UPDATE log SET what = 'x';\n", "transformative", ("transformative", "destructive")),
        (DESTRUCTIVE, "destructive", ("destructive",)),
        ("SELECT 1;\n", "additive", ("additive", "transformative", "destructive")),
        ("SELEC 1;\n", "destructive", ("destructive",)),
    ],
)
def test_a_class_is_confirmed_or_raised_never_lowered(
    tmp_path: Path, sql: str, kind: str, choices: tuple[str, ...]
) -> None:
    bench = Bench(tmp_path, sql, kind)
    step = bench.session.checklist.step("class")

    (prompt,) = class_prompts(bench.session.context(step))

    assert prompt.choices == choices


async def test_a_raised_class_is_attested_with_its_risk(walked: Walked) -> None:
    bench = await walked("class", ADDITIVE, "additive")

    attempt = await bench.step("class", **{"class": "destructive"})

    assert attempt.status is Status.ATTESTED
    assert attempt.words == "Destructive, high risk (raised from additive)."
    assert {key: attempt.facts[key] for key in ("found", "class", "risk", "rollback")} == {
        "found": "additive",
        "class": "destructive",
        "risk": "high",
        "rollback": "irreversible",
    }


async def test_a_header_in_the_record_asks_what_the_migration_is_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with_text(bench, ADDITIVE)
    naming = Naming(tool="drizzle")
    bench.files.own = replace(bench.files.own, naming=naming)
    step = bench.session.checklist.step("header")

    assert [prompt.key for prompt in bench.session.prompts(step)] == ["description"]
    attempt = await bench.step("header", description="Plans per team")

    assert attempt.status is Status.PROVED
    assert attempt.facts["description"] == "Plans per team"
    assert attempt.facts["declared"] == attempt.facts["found"] == "additive"
    named = await bench.step("named")
    assert named.status is Status.PROVED
    assert "the name stays" in named.words


async def test_a_name_without_a_number_fails(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    context = bench.session.context(bench.session.checklist.step("named"))
    environment = replace(context.environment, name="rebuild.sql")

    outcome = await bench.run(replace(context, environment=environment))

    assert outcome.status is Status.FAILED
    assert outcome.words.startswith("rebuild.sql is not NNNN_descriptive_action.sql.")


# When it is done.

SUNDAY = datetime(2026, 11, 29, 14, 0, tzinfo=UTC)


async def test_a_quiet_hour_is_proved_and_says_that_traffic_is_not_known(walked: Walked) -> None:
    bench = await walked("window")
    bench.clock.at = SUNDAY
    bench.web.samples = [{"viewer": {}}]

    attempt = await bench.step("window")

    assert attempt.status is Status.PROVED
    assert attempt.words.startswith("Now is Sunday 14:00 UTC: outside Mon–Fri 9–17")
    assert attempt.facts["traffic"] == (
        "not known: the analytics answer has no d1AnalyticsAdaptiveGroups"
    )
    assert (attempt.facts["quiet"], attempt.facts["fits"]) == (True, True)


async def test_a_window_that_ends_before_the_watch_fails(walked: Walked) -> None:
    bench = await walked("window")
    bench.clock.at = datetime(2026, 11, 30, 8, 57, tzinfo=UTC)

    attempt = await bench.step("window")

    assert attempt.status is Status.FAILED
    assert ", but 5 min including the watch does not fit: 3 min left" in attempt.words
    assert (attempt.facts["quiet"], attempt.facts["fits"]) == (True, False)


async def test_a_freeze_is_no_window(walked: Walked) -> None:
    frozen = Freeze(date(2026, 11, 28), date(2026, 12, 1), "sale")
    bench = await walked("window", settings=Settings(users=Users(freeze=(frozen,))))
    bench.clock.at = SUNDAY

    attempt = await bench.step("window")

    assert attempt.status is Status.FAILED
    assert "frozen from 2026-11-28 to 2026-12-01 (sale)" in attempt.words


def queries(*samples: tuple[datetime, int, int]) -> Mapping[str, object]:
    groups = [
        {
            "sum": {"readQueries": reads, "writeQueries": writes},
            "dimensions": {"datetimeHour": at.isoformat()},
        }
        for at, reads, writes in samples
    ]
    return {"viewer": {"accounts": [{"d1AnalyticsAdaptiveGroups": groups}]}}


async def test_traffic_of_four_weeks_is_told_by_the_hour(walked: Walked) -> None:
    bench = await walked("window")
    bench.clock.at = SUNDAY
    day = timedelta(days=1)
    bench.web.samples = [queries((SUNDAY - 7 * day, 30, 10), (SUNDAY - 14 * day, 30, 10))]

    attempt = await bench.step("window")

    hours = attempt.facts["hours"]
    assert isinstance(hours, tuple)
    assert len(hours) == 7
    assert all(len(str(line).split()) == 24 for line in hours)
    assert "traffic" not in attempt.facts
    (asked,) = bench.web.asked
    assert (asked["since"], asked["until"]) == ("2026-11-01T14:00:00Z", "2026-11-29T14:00:00Z")
    assert asked["database"] == bench.session.project.database.id


async def test_no_query_in_four_weeks_is_not_known(walked: Walked) -> None:
    bench = await walked("window")
    bench.web.samples = [queries()]

    attempt = await bench.step("window")

    assert attempt.facts["traffic"] == "not known: no queries in the last four weeks"


async def test_the_dashboard_is_the_databases_own(walked: Walked) -> None:
    bench = await walked("dashboard")
    context = bench.session.context(bench.session.checklist.step("dashboard"))

    url, worker = dashboard_plan(context)

    uuid = bench.session.project.database.id
    assert url == f"https://dash.cloudflare.com/account/workers/d1/databases/{uuid}/metrics"
    attempt = await bench.step("dashboard")
    shared = url.replace("/account/", "/?to=/:account/")
    assert (attempt.status, attempt.facts) == (Status.ATTESTED, {"url": shared})
    assert "/workers/services/view/workway-api/" in worker


# GO.


class Unready(ReadySigner):
    """A hand that lacks a key until it is prepared."""

    prepared: ClassVar[int] = 0

    @property
    def missing(self) -> Sequence[str]:
        return ("make a key", "name it")

    def prepare(self) -> None:
        Unready.prepared += 1


async def test_go_signs_what_was_proved(walked: Walked) -> None:
    bench = await walked("go")

    attempt = await bench.step("go")

    plan = SignedPlan.from_bytes(bench.store.held["go.toml"])
    before = bench.session.checklist.before("go")
    assert [step.id for step in plan.steps] == [step.id for step in before]
    assert (plan.decision, plan.kind, plan.rows_at_risk) == ("go", "destructive", 0)
    assert plan.decided_at == START
    assert plan.expires_at == START + timedelta(minutes=30)
    assert plan.proofs.ledger_rows == 1
    assert plan.proofs.bookmark == "00000001-bookmark"
    assert plan.proofs.way_back == "table restore"
    assert [table.table for table in plan.proofs.backup] == ["teams"]
    assert plan.criteria is not None
    assert (plan.criteria.error_rate_percent, plan.criteria.watch_minutes) == ("0.1", 5)
    assert attempt.status is Status.ATTESTED
    assert attempt.facts["checklist"] == bench.session.checklist.sha256


async def test_go_with_an_open_item_is_not_signed_even_past_the_door(walked: Walked) -> None:
    bench = await walked("go")
    context = bench.session.context(bench.session.checklist.step("go"))
    attempts = tuple(
        replace(a, status=Status.UNKNOWN) if a.step in ("copied", "purpose") else a
        for a in context.record.attempts
    )
    opened = replace(context, record=replace(context.record, attempts=attempts))

    with pytest.raises(NotAllowed, match=r"items? open: "):
        await bench.run(opened)
    assert "go.toml" not in bench.store.held


async def test_a_bookmark_that_does_not_outlast_the_watch_is_not_signed(walked: Walked) -> None:
    bench = await walked("go")
    context = bench.session.context(bench.session.checklist.step("go"))
    bench.clock.at += timedelta(days=7) - timedelta(minutes=4)

    with pytest.raises(NotAllowed, match="Travel bookmark is good until 2026-11-30 14:00:00 UTC"):
        await bench.run(context)
    assert "go.toml" not in bench.store.held


async def test_what_the_first_signature_makes_is_asked_for(walked: Walked) -> None:
    bench = await walked("go")
    signer = Unready(KEYS, ANA)
    environment = replace(bench.session.environment, signer=signer)
    context = replace(
        bench.session.context(bench.session.checklist.step("go")), environment=environment
    )

    first, go = go_prompts(context)
    assert (first.key, first.label) == ("prepare", "First signature: make a key; name it")
    assert go.label.startswith("GO: I have read the plan for marketplace-production")

    prepare_signer(replace(context, answers={"prepare": False}))
    assert signer.prepared == 0
    prepare_signer(replace(context, answers={"prepare": True}))
    assert signer.prepared == 1


# What was answered before the target was read.

FILTERED = """DELETE FROM members WHERE role = 'x';
UPDATE log SET what = 'x';
CREATE TABLE IF NOT EXISTS more(a);
"""


async def test_what_was_found_is_kept_with_its_answer(walked: Walked) -> None:
    bench = await walked("findings", FILTERED)
    step = bench.session.checklist.step("findings")
    context = bench.session.context(step)
    findings = context.environment.analysis().findings
    asked = {prompt.key for prompt in finding_prompts(context)}
    weighing = {
        f"{f.rule}@{f.line}"
        for f in findings
        if f.severity is not Severity.NOTE and not (f.allowed or f.rows_at_risk or f.refusal)
    }
    assert asked == weighing

    attempt = await bench.step("findings")

    kept = attempt.facts["findings"]
    assert isinstance(kept, tuple)
    answers = {
        f"{item['rule']}@{item['line']}": item["answer"]
        for item in kept
        if isinstance(item, Mapping)
    }
    assert {key for key, answer in answers.items() if answer} == weighing
    assert attempt.status is (Status.ATTESTED if weighing else Status.PROVED)


async def test_a_finding_that_the_file_allows_is_asked_no_more(walked: Walked) -> None:
    plain = await walked("findings", "UPDATE members SET role = 'x';\n", "transformative")
    step = plain.session.checklist.step("findings")
    before = finding_prompts(plain.session.context(step))
    assert len(before) >= 1
    rule = before[0].key.partition("@")[0]
    allowed = f"-- preflight: allow {rule} — meant\nUPDATE members SET role = 'x';\n"
    text = HEADER.format(name=NAME, kind="TRANSFORMATIVE") + allowed
    session = with_text(plain, text)

    assert not [p for p in finding_prompts(session.context(step)) if p.key.startswith(rule)]
    attempt = await plain.step("findings")
    kept = attempt.facts["findings"]
    assert isinstance(kept, tuple)
    told = [i["answer"] for i in kept if isinstance(i, Mapping) and i["rule"] == rule]
    assert told == ["meant"]


@pytest.mark.parametrize(
    ("known", "status", "words"),
    [
        (False, Status.UNKNOWN, "copy the target, then answer again."),
        (True, Status.FAILED, "The migration cannot run like this."),
    ],
)
async def test_a_refusal_is_final_once_the_target_is_known(
    walked: Walked, status: Status, words: str, *, known: bool
) -> None:
    bench = await walked("copied", ADDITIVE, "additive")
    if known:
        await bench.step("copied")
    text = HEADER.format(name=NAME, kind="ADDITIVE") + "ALTER TABLE teams ADD COLUMN name;\n"
    with_text(bench, text)

    attempt = await bench.step("findings")

    assert attempt.status is status
    assert attempt.words.endswith(words)
    assert "duplicate column" in attempt.words


async def test_a_class_that_the_target_raises_is_confirmed_again(walked: Walked) -> None:
    sql = "INSERT INTO teams VALUES ('z', '', '');\n"
    bench = await walked("copied", sql, "transformative")
    confirmed = bench.session.kind
    bench.target.connection.execute(
        "CREATE TABLE extra(a); CREATE TRIGGER t AFTER INSERT ON teams BEGIN DELETE FROM extra; END"
    )
    await bench.step("copied")
    await bench.step("syntax")

    attempt = await bench.step("rehearsed")

    assert attempt.status is Status.FAILED
    assert attempt.words == (
        f"On the target's schema it is destructive, not {confirmed}. Answer the findings again."
    )
    assert "rehearse" not in bench.target.commands

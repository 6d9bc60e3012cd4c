"""What is asked and answered about a file's findings, losses and class, on judgements by value."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from core.record_values import START, AnyAction, Walk, shipped_checklist
from d1_preflight.actions.classification import (
    STEPS,
    class_prompts,
    confirm_class,
    finding_prompts,
    judged_again,
    stale_answers,
    tables_at_risk,
)
from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.core.checklist.checklist import Answer, Checklist
from d1_preflight.core.checklist.file import load_checklist
from d1_preflight.core.findings import (
    Analysis,
    Effects,
    EngineVerdict,
    Finding,
    Kind,
    Reason,
    Refusal,
    Risk,
    Severity,
)
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.record.change_facts import (
    ClassFacts,
    CopiedTable,
    CopyFacts,
    FindingAnswer,
    FindingsFacts,
    HeaderFacts,
    RehearsalFacts,
    TableChange,
)
from d1_preflight.core.record.facts import StepFacts
from d1_preflight.core.record.record import Outcome, Record, Status
from d1_preflight.core.schema.schema import Schema

CHECKLIST = shipped_checklist()
ASKS_EARLY = load_checklist(
    next(
        (Path(__file__).resolve().parents[2] / "checklists" / "shipped").glob("4adaa57e*.toml")
    ).read_text(),
    "d1.toml",
    AnyAction(),
)
"""An earlier checklist, which asks for losses before they are measured."""

PLAIN = Analysis(Kind.ADDITIVE, Risk.LOW, "low", engine=EngineVerdict())
WEIGHS = Finding("a-rule", Severity.WARNING, 3, 1, "It may hurt", "why it may", tables=("t",))
NOTE = replace(WEIGHS, rule="a-note", severity=Severity.NOTE)
ALLOWED = replace(WEIGHS, rule="allowed", line=4, allowed="meant")
AT_RISK = replace(WEIGHS, rule="at-risk", rows_at_risk=True)
REFUSED = replace(WEIGHS, rule="refused", refusal=True)
REFUSAL = EngineVerdict(refused=(Refusal(2, "no such table: x."),))


def context_of(
    found: Analysis,
    record: Record | None = None,
    *,
    knows_target: bool = True,
    kind: Kind = Kind.DESTRUCTIVE,
    text: str = "",
    checklist: Checklist = CHECKLIST,
    answers: Mapping[str, Answer] | None = None,
) -> StepContext:
    environment = SimpleNamespace(
        analysis=lambda: found,
        migration=lambda: Migration.from_text("0061_x.sql", text),
        knows_target=knows_target,
        prior_schema=lambda: Schema(()),
        name="0061_x.sql",
    )
    return StepContext(
        environment=cast("Environment", environment),
        record=record or Walk(checklist).record, checklist=checklist, kind=kind,
        step=checklist.step("findings"), answers=answers or {},
    )  # fmt: skip


async def outcome_of(action: str, context: StepContext) -> Outcome:
    return await STEPS[action].run(context)


def recorded(**facts: StepFacts) -> Record:
    """A record with these facts, by their step."""
    walk = Walk(CHECKLIST)
    for step, found in facts.items():
        begun = walk.record.begin(CHECKLIST.step(step.removesuffix("_")), {}, by="ana", at=walk.now)
        walk.record = begun.finish(Outcome(Status.PROVED, "seen", found), at=walk.now)
    return walk.record


@pytest.mark.parametrize(
    ("finding", "is_asked"),
    [(WEIGHS, True), (NOTE, False), (ALLOWED, False), (AT_RISK, False), (REFUSED, False)],
    ids=lambda value: value.rule if isinstance(value, Finding) else "",
)
async def test_only_what_weighs_is_asked(finding: Finding, *, is_asked: bool) -> None:
    found = replace(PLAIN, findings=(finding,))

    asked = finding_prompts(context_of(found))
    outcome = await outcome_of("answer_findings", context_of(found))

    assert [prompt.key for prompt in asked] == ([f"a-rule@{finding.line}"] if is_asked else [])
    assert outcome.status is (Status.ATTESTED if is_asked else Status.PROVED)


async def test_findings_of_one_rule_and_title_are_asked_and_answered_once() -> None:
    again, elsewhere = replace(WEIGHS, message="and more"), replace(WEIGHS, line=9)
    titled = replace(WEIGHS, line=12, title="It may hurt more")
    found = replace(PLAIN, findings=(WEIGHS, again, elsewhere, titled))
    answers: dict[str, Answer] = {"a-rule@3": "it is small", "a-rule@12": "it is large"}

    asked = finding_prompts(context_of(found))
    outcome = await outcome_of("answer_findings", context_of(found, answers=answers))

    assert [prompt.key for prompt in asked] == ["a-rule@3", "a-rule@12"]
    assert asked[0].label == "Lines 3, 9: It may hurt (3 times). Why is this acceptable?"
    assert asked[1].label == "Line 12: It may hurt more. Why is this acceptable?"
    assert asked[0].help == "line 3: why it may\nline 3: and more\nline 9: why it may"
    facts = cast("FindingsFacts", outcome.facts)
    assert [f.answer for f in facts.findings] == [*(["it is small"] * 3), "it is large"]


async def test_each_finding_keeps_the_reason_of_the_file_or_of_the_operator() -> None:
    found = replace(PLAIN, findings=(WEIGHS, ALLOWED, NOTE, replace(NOTE, rule="b-note")))
    answers: dict[str, Answer] = {"a-rule@3": "it is small"}

    outcome = await outcome_of("answer_findings", context_of(found, answers=answers))

    facts = cast("FindingsFacts", outcome.facts)
    assert [(f.rule, f.answer) for f in facts.findings] == [
        ("a-rule", "it is small"), ("allowed", "meant"), ("a-note", ""), ("b-note", ""),
    ]  # fmt: skip
    assert (facts.findings[0].severity, facts.findings[0].line) == ("warning", 3)
    assert outcome.words == "Answered (2 warnings, 2 notes)."


LOSING = Effects(
    rows_deleted_in=("members",),
    references_nulled_in=("members.team", "pins.team"),
    columns_dropped=("teams.old", "teams.plan", "members.role"),
    tables_dropped=("log",),
)


def test_every_table_that_loses_is_at_risk_once() -> None:
    found = replace(PLAIN, effects=LOSING)

    assert tables_at_risk(found) == ("members", "pins", "log", "teams")


def test_each_loss_is_asked_in_words_with_the_reason_of_the_file() -> None:
    declared = replace(AT_RISK, tables=("log",), declared="nobody reads it")
    other = replace(AT_RISK, tables=("pins",))
    found = replace(PLAIN, effects=LOSING, findings=(other, declared))

    losses, reason = finding_prompts(context_of(found, checklist=ASKS_EARLY))

    assert losses.help.splitlines()[:4] == [
        "members: rows, column role, references in team",
        "pins: references in team",
        "log: everything (dropped) (the file declares it: nobody reads it)",
        "teams: column old, column plan",
    ]
    assert (losses.optional, losses.choices) == (True, tables_at_risk(found))
    assert (reason.key, reason.after) == ("loss_reason", "losses")


async def test_every_loss_is_declared_or_stays_open() -> None:
    found = replace(PLAIN, effects=LOSING)
    three: tuple[str, ...] = ("members", "pins", "log")

    part = await outcome_of(
        "answer_findings",
        context_of(
            found, checklist=ASKS_EARLY, answers={"losses": three, "loss_reason": "as agreed"}
        ),
    )
    none = await outcome_of("answer_findings", context_of(found, checklist=ASKS_EARLY))
    whole = await outcome_of(
        "answer_findings",
        context_of(
            found,
            checklist=ASKS_EARLY,
            answers={"losses": (*three, "teams"), "loss_reason": "as agreed"},
        ),
    )

    assert (part.status, none.status) == (Status.FAILED, Status.FAILED)
    assert part.words.startswith("Not declared: teams would lose column old, column plan. ")
    assert "members would lose rows, column role, references in team; pins" in none.words
    facts = cast("FindingsFacts", part.facts)
    assert facts.declared_losses == three
    assert facts.losses[1:] == ("pins: references in team", "log: everything (dropped)")
    assert facts.loss_reason == "as agreed"
    assert whole.status is Status.PROVED
    assert whole.words == "Nothing found."


async def test_a_declared_loss_is_attested_with_its_reason() -> None:
    found = replace(
        PLAIN, effects=Effects(tables_dropped=("log",)), findings=(replace(AT_RISK, line=1),)
    )

    outcome = await outcome_of(
        "answer_findings",
        context_of(
            found, checklist=ASKS_EARLY, answers={"losses": ("log",), "loss_reason": "as agreed"}
        ),
    )

    assert outcome.status is Status.ATTESTED
    assert outcome.words == (
        "Answered (1 warning). Declared losses: log: everything (dropped). Reason: as agreed"
    )


@pytest.mark.parametrize(
    ("knows_target", "status"), [(True, Status.FAILED), (False, Status.UNKNOWN)]
)
async def test_what_the_engine_refuses_is_no_pass_whatever_was_found(
    status: Status, *, knows_target: bool
) -> None:
    found = replace(PLAIN, engine=REFUSAL)

    outcome = await outcome_of("answer_findings", context_of(found, knows_target=knows_target))

    assert outcome.status is status
    assert outcome.words.startswith("Line 2: no such table: x. ")


async def test_notes_alone_need_no_answer() -> None:
    found = replace(PLAIN, findings=(NOTE, replace(NOTE, line=5)))

    outcome = await outcome_of("answer_findings", context_of(found))

    assert (outcome.status, outcome.words) == (
        Status.PROVED,
        "2 notes, none of which needs an answer.",
    )


# The header and the class.

HEAD = """-- Migration: 0061_x.sql
-- Author: Ana
-- Date: 2026-11-23
-- Ticket: T-1
-- Description: as the test needs it
-- Type: {}
-- Rollback: none
"""


@pytest.mark.parametrize(
    ("declared", "found", "status"),
    [
        ("ADDITIVE", Kind.ADDITIVE, Status.PROVED),
        ("Additive, (a column).", Kind.ADDITIVE, Status.PROVED),
        ("ADDITIVE", Kind.NONE, Status.PROVED),
        ("ADDITIVE", Kind.DESTRUCTIVE, Status.FAILED),
        ("DESTRUCTIVE", Kind.ADDITIVE, Status.FAILED),
        ("(nothing)", Kind.ADDITIVE, Status.FAILED),
        ("ADDITIVE", Kind.UNKNOWN, Status.UNKNOWN),
        ("UNKNOWN", Kind.UNKNOWN, Status.UNKNOWN),
    ],
)
async def test_the_header_is_proved_only_by_the_class_that_was_found(
    declared: str, found: Kind, status: Status
) -> None:
    context = context_of(replace(PLAIN, kind=found), text=HEAD.format(declared) + "SELECT 1;\n")

    outcome = await outcome_of("check_header", context)

    assert outcome.status is status
    assert outcome.facts.written()["found"] == found.value


@pytest.mark.parametrize(
    ("reasons", "kind", "why"),
    [
        ((), Kind.NONE, "it changes nothing."),
        ((), Kind.ADDITIVE, "no reason was found."),
        ((Reason("Adds table “x”.", 2),), Kind.ADDITIVE, "line 2: adds table “x”."),
        (
            (Reason("Adds table.", 2), Reason("Adds index.", 3), Reason("Adds view.", 4)),
            Kind.ADDITIVE,
            "line 2: adds table · 2 more.",
        ),
        (
            (Reason("Adds table.", 2), Reason("Adds index.", 3)),
            Kind.ADDITIVE,
            "line 2: adds table · 1 more.",
        ),
    ],
)
async def test_a_class_says_why_it_is_one(
    reasons: tuple[Reason, ...], kind: Kind, why: str
) -> None:
    found = replace(PLAIN, reasons=reasons)
    context = context_of(found, kind=kind, answers={"class": "additive"})

    (prompt,) = class_prompts(context)
    outcome = await confirm_class(context)

    assert (prompt.help, prompt.label) == (why, "Found: additive. Confirm it or raise it")
    assert (outcome.status, outcome.words) == (Status.PROVED, f"Additive, low risk: {why}")
    facts = cast("ClassFacts", outcome.facts)
    assert facts.reasons == tuple(f"line {r.line}: {r.text}" for r in reasons)
    assert (facts.risk, facts.rollback) == ("low", "low")


@pytest.mark.parametrize(
    ("chosen", "risk", "rollback"),
    [("transformative", "medium", "medium"), ("destructive", "high", "irreversible")],
)
async def test_a_raised_class_has_its_own_risk(chosen: str, risk: str, rollback: str) -> None:
    outcome = await confirm_class(context_of(PLAIN, answers={"class": chosen}))

    facts = cast("ClassFacts", outcome.facts)
    assert outcome.status is Status.ATTESTED
    assert (facts.found, facts.kind) == (Kind.ADDITIVE, Kind(chosen))
    assert (facts.risk, facts.rollback) == (risk, rollback)


ALL = ("additive", "transformative", "destructive")


@pytest.mark.parametrize(
    ("found", "choices"),
    [
        (Kind.NONE, ALL),
        (Kind.ADDITIVE, ALL),
        (Kind.TRANSFORMATIVE, ALL[1:]),
        (Kind.DESTRUCTIVE, ALL[2:]),
        (Kind.UNKNOWN, ALL[2:]),
    ],
)
def test_a_class_is_never_lowered_and_an_unknown_one_is_the_heaviest(
    found: Kind, choices: tuple[str, ...]
) -> None:
    (prompt,) = class_prompts(context_of(replace(PLAIN, kind=found)))

    assert prompt.choices == choices


async def test_what_changes_nothing_may_be_raised_to_the_mildest_class() -> None:
    nothing = replace(PLAIN, kind=Kind.NONE)

    outcome = await confirm_class(context_of(nothing, answers={"class": "additive"}))

    facts = cast("ClassFacts", outcome.facts)
    assert (outcome.status, facts.risk, facts.rollback) == (Status.ATTESTED, "low", "low")


async def test_a_header_names_each_line_that_it_lacks() -> None:
    context = context_of(PLAIN, text="-- Author: Ana\n-- Type: ADDITIVE\nSELECT 1;\n")

    outcome = await outcome_of("check_header", context)

    assert outcome.status is Status.FAILED
    assert outcome.words.startswith("The header lacks: ")
    assert "Rollback" in outcome.words
    assert "Author" not in outcome.words


ADDED = ClassFacts(found=Kind.ADDITIVE, kind=Kind.ADDITIVE)
ANSWERED = FindingsFacts(findings=(FindingAnswer(rule="a-rule", line=3),))


@pytest.mark.parametrize(
    ("found", "confirmed", "answered", "words"),
    [
        (PLAIN, ADDED, FindingsFacts(), ""),
        (
            replace(PLAIN, kind=Kind.DESTRUCTIVE),
            ADDED,
            FindingsFacts(),
            "On the target's schema it is destructive, not additive.",
        ),
        (PLAIN, ClassFacts(found=Kind.ADDITIVE, kind=Kind.DESTRUCTIVE), FindingsFacts(), ""),
        (
            PLAIN,
            ClassFacts(found=Kind.UNKNOWN, kind=Kind.DESTRUCTIVE),
            FindingsFacts(),
            "",
        ),
        (
            replace(PLAIN, kind=Kind.UNKNOWN),
            ClassFacts(found=Kind.UNKNOWN, kind=Kind.DESTRUCTIVE),
            FindingsFacts(),
            "",
        ),
        (
            replace(PLAIN, engine=REFUSAL),
            ADDED,
            FindingsFacts(),
            "On the target's schema: Line 2: no such table: x.",
        ),
        (replace(PLAIN, findings=(WEIGHS,)), ADDED, ANSWERED, ""),
        (replace(PLAIN, findings=(NOTE, ALLOWED)), ADDED, FindingsFacts(), ""),
        (
            replace(PLAIN, findings=(WEIGHS,)),
            ADDED,
            FindingsFacts(findings=(FindingAnswer(rule="a-rule", line=4),)),
            "On the target's schema there is one more finding, line 3: It may hurt.",
        ),
    ],
)
def test_an_answer_that_does_not_cover_the_target_is_stale(
    found: Analysis, confirmed: ClassFacts, answered: FindingsFacts, words: str
) -> None:
    record = recorded(findings=answered, class_=confirmed)

    assert stale_answers(context_of(found, record)) == words


@pytest.mark.parametrize(
    ("findings", "several"),
    [((WEIGHS,), None), ((WEIGHS, replace(WEIGHS, rule="several-changes")), "why it may")],
)
async def test_the_purpose_of_several_changes_is_kept_with_them(
    findings: tuple[Finding, ...], several: str | None
) -> None:
    found = replace(PLAIN, findings=findings)

    outcome = await outcome_of(
        "state_purpose", context_of(found, answers={"purpose": "teams can pay"})
    )

    assert (outcome.status, outcome.words) == (Status.ATTESTED, "teams can pay")
    assert outcome.facts.written().get("several_changes") == several
    assert STEPS["state_purpose"].remarks is not None
    remarks = STEPS["state_purpose"].remarks(context_of(found))
    assert remarks == ({"purpose": several} if several else {})


@pytest.mark.parametrize("kind", [Kind.NONE, Kind.ADDITIVE, Kind.DESTRUCTIVE])
def test_a_class_that_the_files_left_unknown_is_judged_again_on_the_target(kind: Kind) -> None:
    record = recorded(class_=ClassFacts(found=Kind.UNKNOWN, kind=Kind.DESTRUCTIVE))

    again = judged_again(context_of(replace(PLAIN, kind=kind), record))

    assert list(again) == ["class"]
    facts = cast("ClassFacts", again["class"].facts)
    assert (again["class"].status, facts.found, facts.kind) == (Status.PROVED, kind, kind)
    assert again["class"].words.startswith(f"{kind.value.capitalize()}, low risk: ")
    assert Schema(()).fingerprint in facts.source


HEADER = """-- Migration: 0061_x
-- Description: what for
-- Type: additive
-- Rollback: drop the column
"""


@pytest.mark.parametrize(
    ("kind", "before", "settled"),
    [
        (Kind.ADDITIVE, Status.UNKNOWN, True),
        (Kind.DESTRUCTIVE, Status.UNKNOWN, False),
        (Kind.UNKNOWN, Status.UNKNOWN, False),
        (Kind.ADDITIVE, Status.WAIVED, False),
        (Kind.ADDITIVE, Status.FAILED, False),
    ],
)
def test_a_type_that_the_files_left_uncertain_is_held_against_the_target(
    kind: Kind, before: Status, *, settled: bool
) -> None:
    record = Walk(CHECKLIST).record.begin(CHECKLIST.step("header"), {}, by="ana", at=START)
    record = record.finish(Outcome(before, "uncertain", HeaderFacts(declared="additive")), at=START)

    again = judged_again(context_of(replace(PLAIN, kind=kind), record, text=HEADER))

    assert list(again) == (["header"] if settled else [])
    assert all(outcome.status is Status.PROVED for outcome in again.values())


@pytest.mark.parametrize(
    ("found", "kind"), [(Kind.UNKNOWN, Kind.UNKNOWN), (Kind.ADDITIVE, Kind.DESTRUCTIVE)]
)
def test_what_is_unknown_still_or_was_known_before_is_not_judged_again(
    found: Kind, kind: Kind
) -> None:
    record = recorded(class_=ClassFacts(found=found, kind=Kind.DESTRUCTIVE))

    assert judged_again(context_of(replace(PLAIN, kind=kind), record)) == {}


@pytest.mark.parametrize(
    ("outside", "status"),
    [((True,), Status.ATTESTED), ((True, False), Status.UNKNOWN), ((False,), Status.UNKNOWN)],
)
async def test_only_a_missing_base_schema_is_left_to_the_rehearsal(
    outside: tuple[bool, ...], status: Status
) -> None:
    refused = tuple(Refusal(1, "no such table: x", outside=is_outside) for is_outside in outside)
    found = replace(PLAIN, engine=EngineVerdict(refused=refused))

    outcome = await outcome_of("answer_findings", context_of(found, knows_target=False))
    final = await outcome_of("answer_findings", context_of(found))

    assert (outcome.status, final.status) == (status, Status.FAILED)


def test_what_a_rehearsal_or_the_copy_counted_stands_beside_the_loss() -> None:
    found = replace(PLAIN, effects=LOSING)
    copied = CopyFacts(tables=(CopiedTable(table="LOG", rows=7), CopiedTable(table="pins", rows=1)))
    lost = RehearsalFacts(tables=(TableChange(table="pins", lost=2, nulled=1_000),))

    by_copy = finding_prompts(context_of(found, recorded(copied=copied), checklist=ASKS_EARLY))[0]
    by_rehearsal = finding_prompts(
        context_of(found, recorded(copied=copied, rehearsed=lost), checklist=ASKS_EARLY)
    )[0]

    assert "log: everything (dropped) (7 rows in the copy)" in by_copy.help
    assert "pins: references in team (1 row in the copy)" in by_copy.help
    assert (
        "pins: references in team (2 rows lost, 1,000 nulled in the last rehearsal)"
        in by_rehearsal.help
    )

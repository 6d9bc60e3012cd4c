"""The session's door: what is refused begins nothing, changes nothing and is not saved."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from core.record_values import START
from d1_preflight.actions.context import StepAction
from d1_preflight.core.checklist.checklist import Prompt, PromptKind, Step
from d1_preflight.core.errors import NotAllowed, Rejected
from d1_preflight.core.project.wrangler_config import WranglerConfig
from d1_preflight.core.record.facts import instant
from d1_preflight.core.record.record import Status
from d1_preflight.session import Session
from plain.fakes import MemoryStore
from sampling import sampled
from session.walked import CHECKLIST, Found, opened, ready, walk

NAMED, CLASS = CHECKLIST.step("named"), CHECKLIST.step("class")
GO, APPLIED, CLOSE = (CHECKLIST.step(name) for name in ("go", "applied", "close"))
NEVER_WAIVED = [step for step in CHECKLIST.steps if not step.waivable]


@contextmanager
def nothing_begins(session: Session, found: Found | None = None) -> Iterator[None]:
    """Within it the record and its files stay as they are, and no step runs."""
    store = session.environment.store
    record, files, ran = session.record, dict(store.files()), list(found.ran if found else ())
    yield
    assert session.record == record
    assert store.files() == files
    assert list(found.ran if found else ()) == ran


@pytest.mark.parametrize("step", sampled(NEVER_WAIVED, 2), ids=lambda step: step.id)
def test_a_step_that_protects_rows_is_never_waived(step: Step) -> None:
    going = ready(store := MemoryStore())
    if step not in CHECKLIST.before("applied"):
        going.answer("go", Status.ATTESTED)
    if step not in (*CHECKLIST.before("applied"), APPLIED):
        going.through("apply", "verification")
    session = opened(store, going)

    with nothing_begins(session), pytest.raises(NotAllowed, match="cannot be waived"):
        session.waive(step, "we are in a hurry")


@pytest.mark.parametrize("reason", ["", " ", "\n\t "])
def test_a_waiver_without_a_reason_is_none(reason: str) -> None:
    session = opened(MemoryStore())

    with nothing_begins(session), pytest.raises(Rejected, match="A waiver needs its reason"):
        session.waive(NAMED, reason)


def test_a_waiver_keeps_its_reason_and_is_seen_as_one() -> None:
    store = MemoryStore()
    session = opened(store)

    attempt = session.waive(NAMED, "  a name from before the rule \n")

    assert (attempt.status, attempt.words) == (Status.WAIVED, "a name from before the rule")
    assert attempt.answers == {"reason": "a name from before the rule"}
    assert session.status_of(NAMED) is Status.WAIVED
    assert opened(store).record.attempts == session.record.attempts


def test_a_waiver_waits_for_its_turn() -> None:
    session = opened(MemoryStore())

    with nothing_begins(session), pytest.raises(NotAllowed, match="has to wait"):
        session.waive(CHECKLIST.step("endpoints"), "no time")


@pytest.mark.parametrize("reason", ["", " \n"])
def test_no_go_without_a_reason_is_refused(reason: str) -> None:
    session = opened(MemoryStore())

    with nothing_begins(session), pytest.raises(Rejected, match="NO-GO needs a reason"):
        session.no_go(reason)


@pytest.mark.parametrize("status", [s for s in Status if s not in (Status.FAILED, Status.RUNNING)])
def test_no_go_comes_too_late_once_the_apply_was_begun(status: Status) -> None:
    going = ready(store := MemoryStore()).answer("go", Status.ATTESTED).answer("applied", status)
    session = opened(store, going)

    with nothing_begins(session), pytest.raises(NotAllowed, match="NO-GO is too late"):
        session.no_go("not today")


@pytest.mark.parametrize("applied", [False, True])
def test_no_go_says_why_and_shuts_the_gate(*, applied: bool) -> None:
    going = ready(store := MemoryStore()).answer("go", Status.ATTESTED)
    if applied:
        going.answer("applied", Status.FAILED)
    session = opened(store, going)

    attempt = session.no_go("  the team is ill ")

    assert (attempt.step, attempt.status) == ("go", Status.FAILED)
    assert attempt.words == "NO-GO: the team is ill"
    assert attempt.answers == {"reason": "the team is ill"}
    assert attempt.facts["decision"] == "no-go"
    assert [item.step.id for item in session.blockers(APPLIED)] == ["go"]
    assert opened(store).record.attempts[-1] == attempt


async def test_a_closed_record_takes_no_step_no_waiver_and_no_no_go() -> None:
    found = Found()
    going = ready(store := MemoryStore()).through("go", "apply", "verification")
    session = opened(store, going, found)
    await session.perform(CLOSE, {"end": "it stands", "verdict": "fine"})
    assert session.closed

    for step in CHECKLIST.steps:
        with nothing_begins(session, found):
            with pytest.raises(NotAllowed, match="closed and signed"):
                await session.perform(step, {})
            with pytest.raises(NotAllowed, match="closed and signed"):
                session.waive(step, "because")
    with nothing_begins(session), pytest.raises(NotAllowed, match="This record is closed"):
        session.no_go("too late")


@pytest.mark.parametrize("status", [Status.PROVED, Status.ATTESTED, Status.WAIVED])
async def test_an_apply_is_never_repeated(status: Status) -> None:
    found = Found()
    going = ready(store := MemoryStore()).answer("go", Status.ATTESTED).answer("applied", status)
    session = opened(store, going, found)

    with nothing_begins(session, found), pytest.raises(NotAllowed, match="never repeated"):
        await session.perform(APPLIED, {"database": session.record.database.name})


@pytest.mark.parametrize("status", [Status.UNKNOWN, Status.INTERRUPTED])
async def test_an_apply_whose_end_is_unknown_is_looked_at_again(status: Status) -> None:
    found = Found()
    going = ready(store := MemoryStore()).answer("go", Status.ATTESTED).answer("applied", status)
    session = opened(store, going, found)

    await session.perform(APPLIED, {"database": session.record.database.name})

    assert found.ran == ["applied"]


async def test_what_writes_nothing_may_be_looked_at_again() -> None:
    found = Found()
    session = opened(store := MemoryStore(), walk(store, "classification"), found)

    await session.perform(CHECKLIST.step("copied"), {})
    await session.perform(CHECKLIST.step("copied"), {})

    assert found.ran == ["copied", "copied"]


async def test_a_go_that_has_expired_is_not_applied() -> None:
    found = Found()
    going = ready(store := MemoryStore())
    until = going.now + timedelta(minutes=30)
    going.answer("go", Status.ATTESTED, {"expires_at": instant(until)})

    assert opened(store, going, at=until).blockers(APPLIED) == ()
    late = opened(store, going, found, at=until + timedelta(seconds=1))

    assert late.status_of(GO) is Status.PENDING
    assert late.current == CHECKLIST.step("window")  # which GO was signed over, and is stale
    with (
        nothing_begins(late, found),
        pytest.raises(NotAllowed, match=r"“.*” is pending") as refused,
    ):
        await late.perform(APPLIED, {"database": late.record.database.name})
    assert refused.value.hint == "The signed GO has expired; sign it again."


async def test_a_go_lasts_as_long_as_the_settings_say_where_it_says_nothing() -> None:
    going = ready(store := MemoryStore()).answer("go", Status.ATTESTED)
    minutes = opened(store, going).project.settings.go_minutes
    signed = going.record.attempts[-1].finished_at
    assert signed is not None
    end = signed + timedelta(minutes=minutes)

    assert opened(store, going, at=end).blockers(APPLIED) == ()
    assert opened(store, going, at=end + timedelta(seconds=1)).blockers(APPLIED) != ()


async def test_what_is_open_is_said_before_that_a_go_has_expired() -> None:
    going = ready(store := MemoryStore())
    going.answer("go", Status.ATTESTED, {"expires_at": instant(going.now)})
    going.answer("bookmark", Status.FAILED, words="none came")

    late = opened(store, going, at=going.now + timedelta(hours=1))

    assert "bookmark" in [item.step.id for item in late.blockers(APPLIED)]
    assert not any("expired" in item.words for item in late.blockers(APPLIED))


async def test_go_waits_for_every_open_step_and_says_how_many() -> None:
    found = Found()
    session = opened(store := MemoryStore(), walk(store, "classification"), found)
    waiting = len(session.open_before_go())

    with nothing_begins(session, found), pytest.raises(NotAllowed, match="has to wait") as refused:
        await session.perform(GO, {"go": True})

    assert waiting > 1
    assert refused.value.hint == f"Answer it first ({waiting} open)."


async def test_a_step_that_waits_for_a_failed_one_says_why_that_failed() -> None:
    going = walk(store := MemoryStore(), "classification").answer(
        "copied", Status.FAILED, words="no"
    )
    session = opened(store, going)

    with pytest.raises(NotAllowed, match="is failed") as refused:
        await session.perform(CHECKLIST.step("syntax"), {})

    assert refused.value.hint == "no"


async def test_a_configuration_that_changed_stops_every_step_and_waiver() -> None:
    found = Found()
    session = opened(MemoryStore(), found=found)
    config = WranglerConfig(session.project.config.path, "workway-api", sha256="d" * 64)
    environment = replace(session.environment, project=replace(session.project, config=config))
    changed = Session(CHECKLIST, environment, session.actions)

    with nothing_begins(changed, found):
        with pytest.raises(NotAllowed, match=r"wrangler\.jsonc was changed since"):
            await changed.perform(NAMED, {})
        with pytest.raises(NotAllowed, match=r"wrangler\.jsonc was changed since"):
            changed.waive(NAMED, "because")


async def test_the_configuration_that_was_read_stops_nothing() -> None:
    session = opened(MemoryStore())
    config = WranglerConfig(session.project.config.path, "workway-api", sha256="c" * 64)
    environment = replace(session.environment, project=replace(session.project, config=config))

    attempt = await Session(CHECKLIST, environment, session.actions).perform(NAMED, {})

    assert attempt.status is Status.PROVED


async def test_an_answer_that_is_refused_begins_nothing() -> None:
    found, purpose = Found(), CHECKLIST.step("purpose")
    asked = Prompt("also", PromptKind.TEXT, "What else?")
    action = StepAction(found, prompts=lambda _: (asked,))
    session = opened(MemoryStore(), found=found, actions={purpose.action: action})

    assert purpose.prompts
    assert session.prompts(purpose) == (asked, *purpose.prompts)
    for raw in ({"also": " ", "purpose": "x"}, {"also": "x"}, {}):
        with nothing_begins(session, found), pytest.raises(Rejected, match="Write an answer"):
            await session.perform(purpose, raw)

    attempt = await session.perform(purpose, {"also": "nothing ", "purpose": "users have it"})
    assert attempt.answers == {"also": "nothing", "purpose": "users have it"}


def test_another_database_of_the_same_name_is_refused() -> None:
    store = MemoryStore()
    going = walk(store)
    other = replace(going.record.database, id="b" * 8)
    going.record = replace(going.record, database=other)

    with pytest.raises(NotAllowed, match=r"about another database \(marketplace-production bbbb"):
        opened(store, going)


def test_the_time_before_go_shows_nothing_expired() -> None:
    session = opened(MemoryStore(), at=START + timedelta(days=9))

    assert session.blockers(APPLIED)[0].step == GO
    assert session.status_of(GO) is Status.PENDING


def test_a_go_that_has_expired_is_named_once_and_only_before_the_apply() -> None:
    going = ready(store := MemoryStore())
    going.answer("go", Status.ATTESTED, {"expires_at": instant(going.now)})

    late = opened(store, going, at=going.now + timedelta(minutes=1))

    assert [item.step.id for item in late.blockers(APPLIED)] == ["go"]
    assert late.blockers(APPLIED)[0].status is Status.PENDING
    assert late.blockers(GO) == ()
    assert [item.step.id for item in late.blockers(CHECKLIST.step("ledger"))] == ["applied"]
    assert late.open_before_go() == ()


def test_a_record_of_another_migration_or_target_is_refused() -> None:
    going = walk(store := MemoryStore())
    ours = going.record
    there = replace(ours.database, target="production")

    for record, words in (
        (replace(ours, migration="0099_other.sql"), "about 0099_other.sql, not 0057_add"),
        (replace(ours, database=there), "made on production, and this is"),
    ):
        going.record = record
        with pytest.raises(NotAllowed, match=words):
            opened(store, going)

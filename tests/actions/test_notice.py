"""The notice to the team: it cannot be taken back, so it is never sent twice unasked."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import cast

import pytest

from core.record_values import START, Walk, shipped_checklist
from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.actions.timing import notice, notify_prompts, notify_team
from d1_preflight.adapters.http import ProbeResult
from d1_preflight.core.checklist.checklist import Answer, PromptKind
from d1_preflight.core.findings import Kind
from d1_preflight.core.record.record import Record, Status

CHECKLIST = shipped_checklist()
STEP = CHECKLIST.step("notified")


@dataclass
class Channel:
    """A webhook that answers as told, and what it was sent."""

    answers: ProbeResult
    sent: list[str] = field(default_factory=list)
    has_webhook: bool = True

    async def notify(self, text: str) -> ProbeResult:
        self.sent.append(text)
        return self.answers


SENT = ProbeResult(200, 12, ok=True, words="hooks.example.com answered 200")
LOST = ProbeResult(None, 10_000, ok=False, words="hooks.example.com did not answer: timed out")
REFUSED = ProbeResult(403, 12, ok=False, words="hooks.example.com answered 403")


def work_on(record: Record, channel: Channel, **answers: Answer) -> StepContext:
    environment = SimpleNamespace(
        web=channel,
        operator="ana@example.com",
        stem="0061_rebuild_teams",
        target="remote",
        clock=SimpleNamespace(now=lambda: START),
        project=SimpleNamespace(database=SimpleNamespace(name="marketplace-production")),
        settings=SimpleNamespace(
            notify=SimpleNamespace(channel="#engineering"),
            verification=SimpleNamespace(watch_minutes=5),
        ),
    )
    return StepContext(
        environment=cast("Environment", environment),
        record=record, checklist=CHECKLIST, kind=Kind.DESTRUCTIVE,
        step=STEP, answers=answers,
    )  # fmt: skip


def begun_again(earlier: Status) -> Record:
    walk = Walk(CHECKLIST)
    walk.answer("notified", earlier)
    return walk.record.begin(STEP, {}, by="ana@example.com", at=START)


@pytest.mark.parametrize("earlier", [Status.INTERRUPTED, Status.UNKNOWN])
async def test_a_notice_whose_end_nobody_saw_is_looked_for_before_it_is_sent_again(
    earlier: Status,
) -> None:
    channel = Channel(SENT)
    context = work_on(begun_again(earlier), channel)

    (asked,) = notify_prompts(context)
    assert asked.kind is PromptKind.CHOOSE
    outcome = await notify_team(work_on(begun_again(earlier), channel, seen=asked.choices[0]))

    assert outcome.status is Status.ATTESTED
    assert channel.sent == []


async def test_a_notice_that_is_not_there_is_sent() -> None:
    channel = Channel(SENT)
    asked = notify_prompts(work_on(begun_again(Status.INTERRUPTED), channel))[0]

    context = work_on(begun_again(Status.INTERRUPTED), channel, seen=asked.choices[1])
    outcome = await notify_team(context)

    assert outcome.status is Status.PROVED
    assert len(channel.sent) == 1


@pytest.mark.parametrize(("answers", "told"), [(LOST, Status.UNKNOWN), (REFUSED, Status.FAILED)])
async def test_only_an_answer_says_whether_the_notice_arrived(
    answers: ProbeResult, told: Status
) -> None:
    outcome = await notify_team(work_on(begun_again(Status.FAILED), Channel(answers), send=True))

    assert outcome.status is told


def test_the_first_notice_is_shown_before_it_is_sent() -> None:
    context = work_on(Walk(CHECKLIST).record, Channel(SENT))

    (asked,) = notify_prompts(context)

    assert (asked.key, asked.kind) == ("send", PromptKind.CONFIRM)
    assert asked.help == notice(context)
    assert "on marketplace-production: DESTRUCTIVE, 14:00 UTC, by ana@example.com." in asked.help
    assert asked.help.endswith("Watching for 5 min afterwards.")


@pytest.mark.parametrize("earlier", [Status.FAILED, Status.INTERRUPTED])
async def test_without_a_webhook_a_person_says_how_the_team_knows(earlier: Status) -> None:
    channel = Channel(SENT, has_webhook=False)
    record = begun_again(earlier)

    (asked,) = notify_prompts(work_on(record, channel))
    outcome = await notify_team(work_on(record, channel, told="Ben, in the stand-up"))

    assert asked.key == "told"
    assert outcome.status is Status.ATTESTED
    assert outcome.words == "#engineering: Ben, in the stand-up"
    assert channel.sent == []


def test_a_notice_of_practice_says_so() -> None:
    context = work_on(Walk(CHECKLIST).record, Channel(SENT))
    environment = SimpleNamespace(**{**vars(context.environment), "target": "practice"})
    practice = replace(context, environment=cast("Environment", environment))

    assert "marketplace-production (PRACTICE):" in notice(practice)
    assert "PRACTICE" not in notice(context)

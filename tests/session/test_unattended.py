"""What starts by itself, what never does, and what a death leaves while it goes by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from actions.conftest import Walked, walked
from actions.fake_target import ADDITIVE, CHECKLIST, UUID, Bench, agreeable, replied
from core.record_values import AnyAction, shipped_text
from d1_preflight.core.checklist.checklist import ACTS, Effect, Step, needs_person
from d1_preflight.core.checklist.file import load_checklist
from d1_preflight.core.errors import NotAllowed, PreflightError
from d1_preflight.core.project.setting_types import Endpoint
from d1_preflight.core.project.settings import Settings, Verification, WalkSettings
from d1_preflight.core.record.record import Attempt, Status
from d1_preflight.session import Session
from d1_preflight.unattended import AT_ONCE, SideBySide, Unattended
from plain.fakes import MemoryStore

__all__ = ["walked"]  # the fixture

FIRST = ["named", "header", "findings", "copied", "syntax"]
"""In this order, whatever reads the target beside them."""

STEPS = pytest.mark.parametrize("step", CHECKLIST.steps, ids=lambda step: step.id)


def sized(bench: Bench, size: int | None = 40_000) -> Bench:
    """The bench on a target that says how large it is."""
    told = {"uuid": UUID, **({"database_size": size} if size is not None else {})}
    bench.target.instead["info"] = lambda ran: replied(ran.argv, told)
    bench.opened()
    return bench


async def go(session: Session, *asked: Step) -> list[str]:
    """A person begins, or asks for steps; what then runs until somebody is needed."""
    unattended, ran = Unattended(session), list[str]()
    unattended.begin()

    async def perform(step: Step, answers: Mapping[str, object]) -> Attempt:
        if step not in asked:
            ran.append(step.id)
        return await session.perform(step, answers)

    side = SideBySide(session, unattended, perform, _started, _ended)
    for step in asked:
        side.ask(step, {p.key: agreeable(p) for p in session.prompts(step)})
    await side.run()
    return ran


async def _started(_step: Step) -> None:
    """Nothing is shown."""


async def _ended(_step: Step, _attempt: Attempt | None, problem: PreflightError | None) -> None:
    if problem is not None:
        raise problem


def answered_in(session: Session) -> list[str]:
    """The steps of the answered attempts, in the checklist's order; one twice is there twice."""
    order = [step.id for step in CHECKLIST.steps]
    answered = [a.step for a in session.record.attempts if a.status.is_answered]
    return sorted(answered, key=order.index)


@STEPS
def test_no_act_and_no_write_is_ever_left_to_itself(step: object) -> None:
    (found,) = (one for one in CHECKLIST.steps if one == step)

    assert bool(needs_person(found, found.prompts)) == (
        found.id in ACTS or found.effect is Effect.REMOTE_WRITE or bool(found.prompts)
    )


async def test_it_starts_nothing_before_a_person_begins(tmp_path: Path) -> None:
    bench = sized(Bench(tmp_path, ADDITIVE, "additive"))

    assert Unattended(bench.session).next() is None
    assert bench.target.commands == []
    assert bench.session.record.attempts == ()


async def test_it_runs_what_waits_for_no_answer(tmp_path: Path) -> None:
    bench = sized(Bench(tmp_path, ADDITIVE, "additive"))

    ran = await go(bench.session)

    assert [step for step in ran if step in FIRST] == FIRST
    assert {"rehearsed", "counted", "bookmark"} <= set(ran)
    assert not {"class", "purpose", "way_back", "notified", "dashboard", "go"} & set(ran)
    assert not {"apply", "export"} & set(bench.target.commands)


async def test_an_export_and_a_loss_wait_for_a_person(walked: Walked) -> None:
    bench = sized(await walked("counted"))

    ran = await go(bench.session)

    assert "backed_up" not in ran
    assert "losses" not in ran
    assert "export" not in bench.target.commands
    words = Unattended(bench.session).why_not(CHECKLIST.step("backed_up"))
    assert words == "D1 answers nothing else while it exports."


@pytest.mark.parametrize(
    ("size", "limit", "copies"),
    [(40_000, 1_000, True), (40_000, 399, False), (None, 10**9, False), (40_000, 0, False)],
)
async def test_a_read_above_the_limit_or_of_unknown_size_waits_for_a_key(
    tmp_path: Path, size: int | None, limit: int, copies: bool
) -> None:
    settings = Settings(walk=WalkSettings(read_limit_rows=limit))
    bench = sized(Bench(tmp_path, ADDITIVE, "additive", settings), size)

    ran = await go(bench.session)

    assert ("copied" in ran) == copies
    assert ("read" in bench.target.commands) == copies


async def test_an_endpoint_that_may_write_is_called_by_a_person(walked: Walked) -> None:
    endpoints = (Endpoint("https://api.example.com/run", method="POST"),)
    settings = Settings(verification=Verification(endpoints=endpoints))
    bench = sized(await walked("ready", ADDITIVE, "additive", settings))

    assert "ready" not in await go(bench.session)


async def test_a_target_that_does_not_answer_is_not_read(tmp_path: Path) -> None:
    bench = sized(Bench(tmp_path, ADDITIVE, "additive"))
    bench.target.instead["info"] = lambda ran: replace(ran, exit_code=1)

    assert "copied" not in await go(bench.session)
    assert "read" not in bench.target.commands


async def test_a_failure_stops_everything_until_a_person_acts(tmp_path: Path) -> None:
    bench = sized(Bench(tmp_path, "ALTER TABLE nothing ADD COLUMN x;\n", "additive"))

    ran = await go(bench.session)
    failed = [a for a in bench.session.record.attempts if not a.status.is_answered]

    assert [attempt.step for attempt in failed] == ["header"]
    assert "findings" not in ran
    assert await go(bench.session) == []


async def test_what_a_person_sees_or_says_is_never_said_by_itself(tmp_path: Path) -> None:
    text = shipped_text().replace('action = "check_name"', 'action = "open_dashboard"')
    bench = sized(Bench(tmp_path, ADDITIVE, "additive"))
    checklist = load_checklist(text, "own.toml", AnyAction())
    session = Session(checklist, bench.environment(), bench.session.actions)

    assert "named" not in await go(session)


async def test_step_by_step_is_one_setting(tmp_path: Path) -> None:
    settings = Settings(walk=WalkSettings(by_itself=False))
    bench = sized(Bench(tmp_path, ADDITIVE, "additive", settings))

    assert await go(bench.session) == []


@dataclass
class EverySave(MemoryStore):
    """Keeps what lay on the disk after each save: there a death would leave it."""

    saved: list[dict[str, bytes]] = field(default_factory=list)

    def save(self, record: object) -> None:
        super().save(record)  # type: ignore[arg-type]  # the port's own record
        self.saved.append(dict(self.held))


@pytest.mark.parametrize("each", [5, pytest.param(1, marks=pytest.mark.matrix)])
async def test_a_death_at_any_save_loses_nothing_and_starts_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], each: int
) -> None:
    bench = sized(Bench(tmp_path, ADDITIVE, "additive"))
    bench.store = store = EverySave()
    await go(bench.opened())
    whole = answered_in(bench.session)
    points, failed = list(store.saved), list[str]()
    for number, held in list(enumerate(points, 1))[::each]:
        bench.store = EverySave(dict(held))
        session = bench.opened()
        left = session.record.attempts
        lost = [a.step for a in left if a.status is Status.INTERRUPTED]
        alone = Unattended(session).next()
        stopped = {*await go(session)} & {*lost}
        await go(session, *map(CHECKLIST.step, lost))
        await go(session)
        fine = alone is None and not stopped and len(lost) <= AT_ONCE
        fine = fine and session.record.attempts[: len(left)] == left
        if not fine or answered_in(session) != whole:
            failed.append(f"{number}: {left[-1].step} {left[-1].status}")
    with capsys.disabled():
        tried = f"{len(points)} points, every {each}. tried"
        print(f"\ndeaths while it goes by itself: {tried}, {len(failed)} failed")
    assert failed == []
    assert len(points) >= 2 * len(whole)
    assert "apply" not in bench.target.commands


async def test_what_is_blocked_is_refused_all_the_same(tmp_path: Path) -> None:
    bench = sized(Bench(tmp_path, ADDITIVE, "additive"))
    await go(bench.session)

    with pytest.raises(NotAllowed):
        await bench.session.perform(CHECKLIST.step("applied"), {})

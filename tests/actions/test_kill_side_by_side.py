"""A kill while steps run side by side: each is interrupted, nothing is lost or sent twice.

The suite tries a part of the points, `-m matrix` all; `-s` prints how many were tried.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

import pytest

from actions.conftest import Walked
from actions.fake_target import UUID, Bench, replied
from actions.test_kill_matrix import WALKS, Killed, KilledStore, Points, arm, disarm, to_the_end
from core.record_values import KEYS
from d1_preflight.core.checklist.checklist import Step
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.record.record import Attempt, Record, Status
from d1_preflight.core.verify.verify import verify_record
from d1_preflight.unattended import AT_ONCE, SideBySide, Unattended

_CALL = timedelta(seconds=20)


@dataclass
class Dead(Points):
    """Once killed, nothing more is written or called: other steps end with their process."""

    def __call__(self) -> None:
        self.passed += 1
        if self.at and self.passed >= self.at:
            raise Killed


async def _starts(_step: Step) -> None:
    """Nothing is shown."""


async def _ends(_step: Step, _attempt: Attempt | None, _problem: PreflightError | None) -> None:
    """Nothing is shown."""


def slow(bench: Bench, points: Points) -> Bench:
    """Each call takes 20 seconds, and others go on meanwhile."""
    arm(bench, points)
    answered = bench.target.instead["info"]

    def call() -> None:
        points()
        bench.clock.at += _CALL

    bench.target.first = dict.fromkeys(bench.target.first, call)
    sized = {"uuid": UUID, "database_size": 40_000}
    bench.target.instead["info"] = lambda ran: answered(replied(ran.argv, sized))
    bench.target.turns = 5
    return bench


async def by_itself(bench: Bench) -> None:
    """What runs once a person has begun the walk."""
    session = bench.session

    async def perform(step: Step, answers: Mapping[str, object]) -> Attempt:
        return await session.perform(step, answers)

    unattended = Unattended(session)
    unattended.begin()
    await SideBySide(session, unattended, perform, _starts, _ends).run()


def overlaps(record: Record) -> int:
    """How many attempts began before one above them had ended."""
    pairs = [(a, b) for n, b in enumerate(record.attempts) for a in record.attempts[:n]]
    return sum(a.finished_at is not None and b.started_at < a.finished_at for a, b in pairs)


async def try_kill(walked: Walked, kind: str, at: int) -> int:
    """Kill the walk at one point, open it anew, walk to the end; how many steps were running."""
    bench = slow(await walked("named", WALKS[kind], kind), Dead(at))
    with pytest.raises(Killed):
        await by_itself(bench)
    bench.target.turns = 0
    disarm(bench)
    lost = [a for a in bench.session.record.attempts if a.status is Status.INTERRUPTED]

    await to_the_end(bench, where := f"{kind}, point {at}")

    assert len(lost) <= AT_ONCE, where
    assert all(a.status is not Status.RUNNING for a in bench.session.record.attempts), where
    assert bench.target.reached == 1, where
    digest = sha256(bench.files.own.text.encode()).hexdigest()
    found = verify_record(
        bench.store.files(), bench.session.checklist, KEYS, migration_sha256=digest
    )
    assert [problem.words for problem in found.problems] == [], where
    return len(lost)


async def _tried(walked: Walked, kind: str, chosen: Sequence[int] = ()) -> str:
    bench = slow(await walked("named", WALKS[kind], kind), points := Points())
    await by_itself(bench)
    assert isinstance(bench.store, KilledStore)
    assert overlaps(bench.session.record) > 0
    tried = chosen or range(1, points.passed + 1)
    running = [await try_kill(walked, kind, at) for at in tried]
    assert max(running) > 1
    return (
        f"{kind}: {points.passed} kill points while steps overlap, {len(running)} tried, 0 failed; "
        f"up to {max(running)} were running"
    )


@pytest.mark.matrix
@pytest.mark.parametrize("kind", sorted(WALKS))
async def test_steps_side_by_side_survive_every_kill(walked: Walked, kind: str) -> None:
    print(await _tried(walked, kind))


async def test_steps_side_by_side_survive_some_kills(walked: Walked) -> None:
    print(await _tried(walked, "additive", (34,)))


async def test_a_slow_target_is_waited_for_and_the_record_is_good(walked: Walked) -> None:
    bench = slow(await walked("named", WALKS["additive"], "additive"), Points())

    await by_itself(bench)

    record = bench.session.record
    assert overlaps(record) > 0
    assert record.running is None
    assert len({a.step for a in record.attempts}) == len(record.attempts)  # nothing twice

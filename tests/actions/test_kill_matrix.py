"""A walk that is killed at every save and every call: nothing is lost, nothing is sent twice.

The suite tries a part of the points, `-m matrix` all; `-s` prints how many were tried. A kill
here leaves every file as it is; `adapters/test_kill_points.py` kills real writes, byte by byte.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import pytest

from actions.conftest import Walked
from actions.fake_target import CHECKLIST, NAME, Bench
from core.record_values import KEYS
from d1_preflight.core.findings import Kind
from d1_preflight.core.ports import Evidence
from d1_preflight.core.verify.verify import verify_record
from plain.fakes import MemoryStore
from sampling import sampled

WALKS = {
    "additive": "ALTER TABLE teams ADD COLUMN billing TEXT;\n",
    "destructive": "ALTER TABLE teams DROP COLUMN old;\n",
    "transformative": "UPDATE members SET role = lower(role);\n",
}
_TRIES = 4
_COMMANDS = ("info", "read", "bookmark", "export", "apply", "deployments", "rehearse", "down")


class Killed(BaseException):
    """Not an Exception: nothing of ours may catch it and go on."""


@dataclass
class Points:
    """Counts the places where a kill can come, and kills at one of them."""

    at: int = 0
    passed: int = 0

    def __call__(self) -> None:
        self.passed += 1
        if self.passed == self.at:
            raise Killed


class KilledStore(MemoryStore):
    """A kill can come before and after each write."""

    points = Points()

    def write(self, name: str, data: bytes) -> str:
        self.points()
        digest = super().write(name, data)
        self.points()
        return digest

    def save(self, record: object) -> None:
        self.points()
        super().save(record)  # type: ignore[arg-type]
        self.points()


def arm(bench: Bench, points: Points) -> None:
    """Let the walk be killed at these points: around every write and every call."""
    wire(bench, points)
    bench.opened()


def wire(bench: Bench, points: Points) -> None:
    """The same, for whatever session is opened next."""
    store = KilledStore(bench.store.held, bench.store.folder)
    store.points = points
    bench.store = store
    bench.target.first = dict.fromkeys(_COMMANDS, points)

    def answered(ran: Evidence) -> Evidence:
        points()
        return ran

    bench.target.instead = dict.fromkeys(_COMMANDS, answered)


def disarm(bench: Bench) -> None:
    """A new process opens the record that the killed one left."""
    unwire(bench)
    bench.opened()


def unwire(bench: Bench) -> None:
    """No more kills, for whatever session is opened next."""
    bench.store = MemoryStore(bench.store.held, bench.store.folder)
    bench.target.first, bench.target.instead = {}, {}


async def points_of(walked: Walked, kind: str, step: str) -> int:
    """How many points a step has."""
    bench = await walked(step, WALKS[kind], kind)
    points = Points()
    arm(bench, points)
    await bench.step(step)
    return points.passed


async def try_kill(walked: Walked, kind: str, step: str, at: int) -> None:
    """Kill one step at one point, open the record anew, and walk to the end."""
    bench = await walked(step, WALKS[kind], kind)
    where = f"{kind}: {step}, point {at}"
    arm(bench, Points(at))
    with pytest.raises(Killed):
        await bench.step(step)
    disarm(bench)

    await to_the_end(bench, where)

    assert bench.target.reached == int(not _is_after_apply(step)), where
    assert bench.query(f"SELECT count(*) FROM d1_migrations WHERE name = '{NAME}'") == [(1,)]
    digest = sha256(bench.files.own.text.encode()).hexdigest()
    found = verify_record(
        bench.store.files(), bench.session.checklist, KEYS, migration_sha256=digest
    )
    assert [problem.words for problem in found.problems] == [], where


def _is_after_apply(step: str) -> bool:
    ids = [other.id for other in CHECKLIST.steps]
    return ids.index(step) > ids.index("applied")


async def to_the_end(bench: Bench, where: str) -> None:
    while (step := bench.session.current) is not None:
        for _ in range(_TRIES):
            if bench.session.status_of(step).is_answered:
                break
            attempt = await bench.step(step.id)
            if not attempt.status.is_answered and step.waivable:
                bench.session.waive(step, "not in a test")
        assert bench.session.status_of(step).is_answered, f"{where}: {step.id}: {attempt.words}"
    assert bench.session.closed, where


async def _matrix(walked: Walked, kind: str, chosen: Callable[[int], bool]) -> str:
    points = tried = 0
    for step in CHECKLIST.steps_for(Kind(kind)):
        for at in range(1, await points_of(walked, kind, step.id) + 1):
            points += 1
            if chosen(points):
                await try_kill(walked, kind, step.id, at)
                tried += 1
    return f"{kind}: {points} kill points, {tried} tried, 0 failed"


@pytest.mark.matrix
@pytest.mark.parametrize("kind", sorted(WALKS))
async def test_a_walk_survives_every_kill(walked: Walked, kind: str) -> None:
    print(await _matrix(walked, kind, lambda _: True))


@pytest.mark.parametrize(
    ("step", "at"), sampled([("applied", 9), ("backed_up", 3), ("close", 9)], 2)
)
async def test_a_walk_survives_some_kills(walked: Walked, step: str, at: int) -> None:
    await try_kill(walked, "transformative", step, at)


@pytest.mark.parametrize("at", sampled([8, 7, 9], 3))
async def test_a_killed_go_leaves_no_copy_that_belongs_to_none(walked: Walked, at: int) -> None:
    await try_kill(walked, "additive", "go", at)

"""An adoption, and an apply that writes two ledgers, killed at every save and every call.

The suite tries a part of the points, `-m matrix` all; `-s` prints how many were tried.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from actions.conftest import Walked
from actions.fake_target import NAME
from actions.test_adoption import RAN, Adopting
from actions.test_kill_matrix import Killed, Points, arm, disarm, to_the_end, unwire, wire
from actions.test_two_ledgers import at_apply
from core.record_values import KEYS
from d1_preflight.core.checklist.shipped import adoption_checklist
from d1_preflight.core.verify.verify import verify_record
from sampling import sampled

ROWS = ["0001_base.sql", "0002_members.sql", "0003_roles.sql"]
Chosen = Callable[[int], bool]


def _made(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


async def adopted_at(folder: Path, step: str, at: int) -> int:
    """Kill an adoption's step at a point (0: none), and walk on to the end; the step's points."""
    adopting = await Adopting(folder).walk(step)
    points = Points(at)
    wire(adopting.bench, points)
    adopting.opened()
    if not at:
        await adopting.step(step, **RAN)
        return points.passed
    with pytest.raises(Killed):
        await adopting.step(step, **RAN)
    unwire(adopting.bench)
    adopting.opened()
    for _ in range(20):
        if (current := adopting.session.current) is None:
            break
        await adopting.step(current.id, **RAN)
    where = f"{step}, point {at}"
    assert adopting.session.closed, where
    assert adopting.ledger() == ROWS, where
    found = verify_record(adopting.bench.store.files(), adopting.session.checklist, KEYS)
    assert [problem.words for problem in found.problems] == [], where
    return 0


async def _adoptions(folder: Path, chosen: Chosen) -> str:
    points = tried = 0
    for step in adoption_checklist().steps:
        for at in range(1, await adopted_at(_made(folder, step.id), step.id, 0) + 1):
            points += 1
            if chosen(points):
                await adopted_at(_made(folder, f"{step.id}-{at}"), step.id, at)
                tried += 1
    return f"adoption: {points} kill points, {tried} tried, 0 failed"


@pytest.mark.matrix
async def test_an_adoption_survives_every_kill(tmp_path: Path) -> None:
    print(await _adoptions(tmp_path, lambda _: True))


@pytest.mark.parametrize(
    ("step", "at"), sampled([("compared", 9), ("applied", 9), ("close", 7)], 2)
)
async def test_an_adoption_survives_some_kills(tmp_path: Path, step: str, at: int) -> None:
    await adopted_at(tmp_path, step, at)


async def applied_at(walked: Walked, at: int) -> int:
    """Kill the apply of two ledgers at a point (0: none), and walk on to the end; its points."""
    bench = await at_apply(walked)
    points = Points(at)
    arm(bench, points)
    if not at:
        await bench.step("applied")
        return points.passed
    with pytest.raises(Killed):
        await bench.step("applied")
    disarm(bench)
    await to_the_end(bench, f"two ledgers, point {at}")
    assert bench.target.reached == 1
    assert bench.query(f"SELECT count(*) FROM d1_migrations WHERE name = '{NAME}'") == [(1,)]
    assert bench.query("SELECT count(*) FROM __drizzle_migrations") == [(2,)]
    return 0


async def _applies(walked: Walked, chosen: Chosen) -> str:
    points = await applied_at(walked, 0)
    tried = [at for at in range(1, points + 1) if chosen(at)]
    for at in tried:
        await applied_at(walked, at)
    return f"two ledgers: {points} kill points, {len(tried)} tried, 0 failed"


@pytest.mark.matrix
async def test_an_apply_of_two_ledgers_survives_every_kill(walked: Walked) -> None:
    print(await _applies(walked, lambda _: True))


async def test_an_apply_of_two_ledgers_survives_some_kills(walked: Walked) -> None:
    print(await _applies(walked, lambda n: n % 13 == 0))

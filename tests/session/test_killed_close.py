"""A close that is killed before any of its writes is closed again, and verifies."""

from dataclasses import dataclass

import pytest

from core.record_values import ANA, KEYS, FakeSigner, Walk, signed_go
from d1_preflight.core.record.apply_facts import CloseFacts
from d1_preflight.core.record.file import load_record
from d1_preflight.core.record.record import Record
from d1_preflight.core.verify.problem import Id, Weight
from d1_preflight.core.verify.verify import verify_record
from plain.fakes import MemoryStore
from sampling import sampled
from session.walked import CHECKLIST, opened, ready

WRITES = 4  # the begun close, the summary, the finished record, its signature
CLOSE = CHECKLIST.step("close")


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Dying(MemoryStore):
    """Its process is killed in the place of one of its writes; `left` come before that one."""

    left: int = 0

    def write(self, name: str, data: bytes) -> str:
        self._live()
        return super().write(name, data)

    def save(self, record: Record) -> None:
        self._live()
        super().save(record)

    def _live(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed


def verified_walk(store: MemoryStore) -> Walk:
    """A walk of schema 2 that has only its close before it."""
    going = ready(store)
    signed_go(going, store.held, FakeSigner(KEYS, ANA))
    return going.through("apply", "verification")


@pytest.mark.parametrize("left", sampled(range(WRITES + 1), 2))
async def test_a_killed_close_is_closed_again(left: int) -> None:
    first = MemoryStore()
    going = verified_walk(first)
    opened(first, going)
    dying = Dying(dict(first.held), left=left)
    session = opened(dying, at=going.now)
    given = {prompt.key: "it stands" for prompt in session.prompts(CLOSE)}
    was_killed = False
    try:
        await session.perform(CLOSE, given)
    except Killed:
        was_killed = True
    assert was_killed == (left < WRITES)

    between = verify_record(dying.held, CHECKLIST, KEYS)
    invalid = [(p.id, p.file) for p in between.problems if p.weight is Weight.INVALID]
    no_copy = (Id.FILE_UNLISTED, "SUMMARY.md")  # the GO of these walks keeps no summary
    assert [problem for problem in invalid if problem != no_copy] == []
    open_ids = {problem.id for problem in between.problems}
    assert bool(open_ids & {Id.NOT_CLOSED, Id.SIGNATURE_MISSING}) == was_killed

    again = MemoryStore(dict(dying.held))
    session = opened(again, at=going.now)
    if not session.closed:
        await session.perform(CLOSE, given)

    assert verify_record(again.held, CHECKLIST, KEYS).problems == ()
    last = load_record(again.held["record.toml"]).attempts[-1]
    chain = CloseFacts.from_attempt(last).chain
    assert chain is not None
    assert chain.sequence == 1

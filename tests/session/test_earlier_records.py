"""Records of schema 1, of every class and in every state: they load, go on and verify."""

from dataclasses import replace

import pytest

from core.record_values import ANA, BEFORE_GO, BEN, KEYS, FakeSigner, Walk, signed_go
from d1_preflight.core.findings import Kind
from d1_preflight.core.record.file import load_record
from d1_preflight.core.record.record import Status
from d1_preflight.core.record.review import CLOSED_RECORD, Verdict, statement
from d1_preflight.core.record.signing import CLOSE, REVIEW
from d1_preflight.core.verify.links import Verification
from d1_preflight.core.verify.problem import Weight
from d1_preflight.core.verify.verify import verify_record
from plain.fakes import MemoryStore, open_session
from sampling import sampled
from session.walked import CHECKLIST, opened

KINDS = (Kind.ADDITIVE, Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE)


def earlier(store: MemoryStore, kind: Kind, *sections: str) -> Walk:
    """A walk of a record that an earlier version began."""
    going = Walk(CHECKLIST, kind)
    fresh = open_session(store).environment.new_record(CHECKLIST.sha256)
    going.record = replace(fresh, schema=1)
    return going.through(*sections)


def signed(store: MemoryStore, kind: Kind) -> Walk:
    going = earlier(store, kind, *BEFORE_GO)
    signed_go(going, store.held, FakeSigner(KEYS, ANA))
    return going


def closed(store: MemoryStore, kind: Kind) -> Walk:
    going = signed(store, kind).through("apply", "verification", "close")
    store.save(going.record)
    store.held["record.toml.sig"] = KEYS.sign(store.held["record.toml"], CLOSE, ANA)
    return going


def verified(store: MemoryStore) -> Verification:
    return verify_record(store.held, CHECKLIST, KEYS)


def schema(store: MemoryStore) -> int:
    return load_record(store.held["record.toml"]).schema


def invalid(store: MemoryStore) -> list[str]:
    return [p.id for p in verified(store).problems if p.weight is Weight.INVALID]


@pytest.mark.parametrize("kind", KINDS)
async def test_an_open_one_goes_on_in_schema_2(kind: Kind) -> None:
    store = MemoryStore()
    session = opened(store, earlier(store, kind, "classification"))
    step = session.current
    assert step is not None

    await session.perform(step, {})

    assert schema(store) == 2
    assert invalid(store) == []


@pytest.mark.parametrize("kind", KINDS)
async def test_one_with_a_signed_go_is_applied_and_closed_in_schema_1(kind: Kind) -> None:
    store = MemoryStore()
    session = opened(store, signed(store, kind))

    while (step := session.current) is not None:
        given = {prompt.key: "it stands" for prompt in session.prompts(step)}
        await session.perform(step, given)

    assert session.closed
    assert schema(store) == 1
    assert [p.id for p in verified(store).problems] == []


async def test_one_whose_go_is_signed_once_more_goes_on_in_schema_2() -> None:
    store = MemoryStore()
    session = opened(store, signed(store, Kind.ADDITIVE))
    go = CHECKLIST.step("go")
    assert session.record.schema == 1

    session.no_go("not today")
    await session.perform(go, {prompt.key: "it stands" for prompt in session.prompts(go)})

    assert schema(store) == 2


@pytest.mark.parametrize("kind", sampled(KINDS, 2))
@pytest.mark.parametrize("status", [Status.RUNNING, Status.UNKNOWN])
async def test_one_whose_apply_was_begun_is_finished_in_schema_1(
    kind: Kind, status: Status
) -> None:
    store = MemoryStore()
    going = signed(store, kind).answer("applied", Status.UNKNOWN)
    last = replace(going.record.attempts[-1], status=status)
    last = replace(last, finished_at=None if status is Status.RUNNING else last.finished_at)
    going.record = replace(going.record, attempts=(*going.record.attempts[:-1], last))
    session = opened(store, going)

    await session.perform(CHECKLIST.step("applied"), {})

    assert session.status_of(CHECKLIST.step("applied")).is_answered
    assert schema(store) == 1
    assert invalid(store) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_one_stays_as_it_is(kind: Kind) -> None:
    store = MemoryStore()
    closed(store, kind)
    before = dict(store.held)

    session = opened(store)

    assert session.closed
    assert store.held == before
    assert verified(store).problems == ()


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_was_sent_back_is_open_with_its_reason(kind: Kind) -> None:
    store = MemoryStore()
    going = closed(store, kind)
    words = statement(
        store.held, going.record, CLOSED_RECORD, Verdict.SENT_BACK, "no counts",
        reviewer=BEN, at=going.now,
    )  # fmt: skip
    store.held["record.review.toml"] = words
    store.held["record.review.toml.sig"] = KEYS.sign(words, REVIEW, BEN)

    assert [problem.id for problem in verified(store).problems] == ["sent-back"]
    assert opened(store).closed

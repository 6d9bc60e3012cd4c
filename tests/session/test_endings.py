"""How a step ends: what is saved, what a failure proves, and when a record is sealed."""

import asyncio
import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from core.record_values import ANA, BEN, KEYS, Walk
from d1_preflight.actions import STEPS
from d1_preflight.actions.context import StepAction, StepContext
from d1_preflight.core.errors import BadSignature, NotAllowed, ProjectError, RemoteFailed
from d1_preflight.core.findings import Kind
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.record.file import load_record
from d1_preflight.core.record.record import Outcome, Record, Status
from d1_preflight.core.record.signing import CLOSE as CLOSE_NAMESPACE
from d1_preflight.session import Session
from plain.fakes import MemoryStore, ReadySigner, TextFiles
from session.walked import CHECKLIST, Found, opened, ready, walk

NAMED, APPLIED, CLOSE = (CHECKLIST.step(name) for name in ("named", "applied", "close"))
KEPT = {"end": "it stands", "verdict": "fine"}
SIGNATURE = "record.toml.sig"


def saved(store: MemoryStore) -> Record:
    found = store.load()
    assert found is not None
    return found


def verified(store: MemoryStore) -> Walk:
    """A walk with only the close before it."""
    return ready(store).through("go", "apply", "verification")


BY_SYSTEM = "The operating system reported an error ({}). Fix that, then run the step again."


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (ProjectError("It is not so.", hint="Mend it."), Status.FAILED, "It is not so. Mend it."),
        (RemoteFailed("No answer."), Status.UNKNOWN, "No answer."),
        (
            OSError(errno.ENOSPC, "No space left on device", "/there"),
            Status.UNKNOWN,
            BY_SYSTEM.format("No space left on device: /there"),
        ),
        (OSError(), Status.UNKNOWN, BY_SYSTEM.format("OSError")),
    ],
)
async def test_an_error_is_an_outcome_and_what_was_not_learnt_is_unknown(
    error: BaseException, status: Status, words: str
) -> None:
    session = opened(store := MemoryStore(), found=Found({"named": error}))

    attempt = await session.perform(NAMED, {})

    assert (attempt.status, attempt.words) == (status, words)
    assert saved(store).attempts == (attempt,)


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (asyncio.CancelledError(), Status.INTERRUPTED, "Quit while it ran."),
        (ValueError("row 7"), Status.UNKNOWN, "preflight failed here; nothing is proved."),
    ],
)
async def test_a_step_that_broke_off_says_so_and_the_error_goes_on(
    error: BaseException, status: Status, words: str
) -> None:
    session = opened(store := MemoryStore(), found=Found({"named": error}))

    with pytest.raises(type(error)):
        await session.perform(NAMED, {})

    (attempt,) = saved(store).attempts
    assert (attempt.status, attempt.words) == (status, words)


async def test_an_apply_that_was_left_says_to_look_first() -> None:
    going = ready(store := MemoryStore()).answer("go", Status.ATTESTED)
    session = opened(store, going, Found({"applied": asyncio.CancelledError()}))

    with pytest.raises(asyncio.CancelledError):
        await session.perform(APPLIED, {"database": session.record.database.name})

    last = saved(store).attempts[-1]
    assert last.words == "Quit while it ran; look at the database first."
    assert session.status_of(APPLIED) is Status.INTERRUPTED


async def test_the_intent_is_saved_before_the_act() -> None:
    store = MemoryStore()
    seen: list[Record] = []

    async def look(context: StepContext) -> Outcome:
        seen.append(saved(store))
        return Outcome(Status.PROVED, context.step.id)

    session = opened(store, actions={NAMED.action: StepAction(look)})
    await session.perform(NAMED, {})

    assert [a.status for a in seen[0].attempts] == [Status.RUNNING]
    assert seen[0].attempts[0].by == ANA


async def test_a_file_edited_while_a_step_ran_is_known_at_its_end() -> None:
    files = TextFiles()

    async def edit(_: StepContext) -> Outcome:
        files.text += "-- and more\n"
        return Outcome(Status.PROVED, "seen")

    session = opened(MemoryStore(), files=files, actions={NAMED.action: StepAction(edit)})
    await session.perform(NAMED, {})

    assert session.status_of(NAMED) is Status.PENDING


async def test_a_close_that_succeeds_is_signed_and_final() -> None:
    session = opened(store := MemoryStore(), verified(store))
    assert session.current == CLOSE

    attempt = await session.perform(CLOSE, KEPT)

    assert attempt.status is Status.PROVED
    assert session.closed
    assert session.current is None
    KEYS.verify(store.held["record.toml"], store.held[SIGNATURE], CLOSE_NAMESPACE)
    again = opened(store)
    assert again.closed
    assert again.status_of(CLOSE) is Status.PROVED


@pytest.mark.parametrize("status", [Status.FAILED, Status.UNKNOWN, Status.INTERRUPTED])
async def test_a_close_that_fails_is_not_sealed(status: Status) -> None:
    found = Found({"close": Outcome(status, "two steps are open")})
    session = opened(store := MemoryStore(), verified(store), found)

    await session.perform(CLOSE, KEPT)

    assert not session.closed
    assert SIGNATURE not in store.held
    assert session.status_of(CLOSE) is status
    assert not opened(store).closed
    del found.script["close"]
    await session.perform(CLOSE, KEPT)
    assert session.closed


async def test_a_close_that_raises_is_not_sealed() -> None:
    found = Found({"close": NotAllowed("Not the checklist of its GO.")})
    session = opened(store := MemoryStore(), verified(store), found)

    attempt = await session.perform(CLOSE, KEPT)

    assert attempt.status is Status.FAILED
    assert not session.closed
    assert SIGNATURE not in store.held


async def test_no_step_but_the_close_seals() -> None:
    sealing = {name for name, action in STEPS.items() if action.seals}
    session = opened(store := MemoryStore())

    await session.perform(NAMED, {})

    assert sealing == {CLOSE.action}
    assert not session.closed
    assert SIGNATURE not in store.held


class LostKey(ReadySigner):
    """A hand whose key is gone when it should sign."""

    def sign(self, document: bytes, namespace: str) -> bytes:
        raise BadSignature(f"No key for {namespace} ({len(document)} bytes).", hint="Find it.")


async def test_a_close_that_could_not_be_signed_is_none() -> None:
    plain = opened(store := MemoryStore(), verified(store))
    environment = replace(plain.environment, signer=LostKey(KEYS, ANA))
    session = Session(CHECKLIST, environment, plain.actions)

    attempt = await session.perform(CLOSE, KEPT)

    assert attempt.status is Status.FAILED
    assert attempt.words.startswith("No key for")
    assert attempt.words.endswith("Find it.")
    assert not session.closed
    assert SIGNATURE not in store.held


@dataclass
class Terminal:
    """Notes whether the terminal is free for a passphrase."""

    free: bool = False

    @contextmanager
    def given(self) -> Iterator[None]:
        self.free = True
        yield
        self.free = False


async def test_the_terminal_is_free_while_the_close_is_signed() -> None:
    terminal, seen = Terminal(), list[bool]()

    class Watching(ReadySigner):
        def sign(self, document: bytes, namespace: str) -> bytes:
            seen.append(terminal.free)
            return super().sign(document, namespace)

    plain = opened(store := MemoryStore(), verified(store))
    environment = replace(plain.environment, signer=Watching(KEYS, ANA))

    await Session(CHECKLIST, environment, plain.actions).perform(
        CLOSE, KEPT, terminal=terminal.given()
    )

    assert seen == [True]
    assert not terminal.free


@pytest.mark.parametrize("signature", [None, b"ana@example.com 00\n", "of GO", "of nobody"])
def test_an_unsigned_close_is_open_and_the_record_goes_on(signature: bytes | str | None) -> None:
    going = verified(store := MemoryStore()).answer("close", Status.ATTESTED)
    store.save(going.record)
    document = store.held["record.toml"]
    if isinstance(signature, bytes):
        store.held[SIGNATURE] = signature
    elif signature == "of GO":
        store.held[SIGNATURE] = KEYS.sign(document, "go@d1-preflight", ANA)
    elif signature == "of nobody":
        store.held[SIGNATURE] = KEYS.sign(document, CLOSE_NAMESPACE, BEN)

    session = opened(store)

    assert not session.closed
    assert session.status_of(CLOSE) is Status.PENDING
    assert session.current == CLOSE


def test_a_signature_over_a_record_that_is_not_closed_seals_nothing() -> None:
    going = verified(store := MemoryStore()).answer("close", Status.FAILED)
    store.save(going.record)
    signature = KEYS.sign(store.held["record.toml"], CLOSE_NAMESPACE, ANA)
    store.held[SIGNATURE] = signature

    assert not opened(store).closed


async def test_a_sealed_record_is_read_as_it_was_signed() -> None:
    session = opened(store := MemoryStore(), verified(store))
    await session.perform(CLOSE, KEPT)
    signed = store.held["record.toml"]

    again = opened(store, files=TextFiles("SELECT 1;\n"))
    again.refresh()

    assert again.closed
    assert again.record == load_record(signed)
    assert store.held["record.toml"] == signed


async def test_a_step_found_running_is_interrupted_and_saved_so() -> None:
    going = walk(store := MemoryStore())
    going.record = going.record.begin(NAMED, {}, by=ANA, at=going.now)

    session = opened(store, going)

    assert session.status_of(NAMED) is Status.INTERRUPTED
    assert saved(store).attempts[-1].status is Status.INTERRUPTED
    assert session.record.tools == {"wrangler": "4.164.0"}


def test_what_a_face_reads_follows_from_the_class() -> None:
    going = walk(store := MemoryStore(), "classification", kind=Kind.ADDITIVE)
    session = opened(store, going)

    assert session.kind is Kind.ADDITIVE
    assert session.path == CHECKLIST.steps_for(Kind.ADDITIVE)
    assert session.sections == CHECKLIST.sections_for(Kind.ADDITIVE)
    assert session.attempt("prayed") is None
    assert session.attempt("class") == session.record.last("class")


def test_a_plan_is_given_by_the_action_and_empty_where_it_has_none() -> None:
    action = StepAction(Found(), plan=lambda context: [f"wrangler {context.step.id}"])
    session = opened(MemoryStore(), actions={NAMED.action: action})

    assert session.plan(NAMED) == ("wrangler named",)
    assert session.plan(APPLIED) == ()
    assert session.prompts(NAMED) == NAMED.prompts


def test_an_edited_file_is_seen_at_the_next_refresh() -> None:
    files = TextFiles()
    going = walk(store := MemoryStore(), "classification")
    session = opened(store, going, files=files)
    assert session.status_of(NAMED) is Status.PROVED
    assert session.analysis.kind is not Kind.DESTRUCTIVE

    files.text = "DROP TABLE audit_logs;\n"
    session.refresh()

    assert session.status_of(NAMED) is Status.PENDING
    assert session.analysis == session.environment.analysis()


def test_a_session_that_is_left_gives_its_record_back() -> None:
    released: list[bool] = []

    class Locked(MemoryStore):
        def release(self) -> None:
            released.append(True)

    opened(Locked()).close()

    assert released == [True]


class WithDown(TextFiles):
    """Files with a down migration of the session's own."""

    def down(self, stem: str) -> Migration | None:
        return Migration.from_text(f"{stem}.sql", "DROP TABLE x;\n")


def test_a_face_reads_the_down_migration_of_the_sessions_own_file() -> None:
    down = opened(MemoryStore(), files=WithDown()).down

    assert down is not None
    assert down.name == f"{opened(MemoryStore()).environment.stem}.sql"
    assert opened(MemoryStore()).down is None

"""A disk that does not take what was found: nothing is claimed that was not saved."""

import errno
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from d1_preflight.core.checklist.checklist import Step
from d1_preflight.core.errors import ProjectError
from d1_preflight.core.project.migration import MigrationFile
from d1_preflight.core.record.record import Record, Status
from d1_preflight.session import Session
from plain.fakes import MemoryStore, TextFiles, open_session


@dataclass
class FillingStore(MemoryStore):
    """A store with room for so many more saves."""

    room: int = 99

    def save(self, record: Record) -> None:
        if self.room == 0:
            raise ProjectError("The disk is full: record.toml was not written.", hint="Make room.")
        self.room -= 1
        super().save(record)


@dataclass
class FailingFiles(TextFiles):
    """Files on a disk that fails once, when it is told to."""

    fails: bool = False

    def files(self) -> Sequence[MigrationFile]:
        if self.fails:
            self.fails = False
            raise OSError(errno.EIO, "Input/output error", "/project/migrations")
        return super().files()


@dataclass
class Beginning(MemoryStore):
    """A store after whose next save the files fail."""

    files_then: FailingFiles = field(default_factory=FailingFiles)
    armed: bool = False

    def save(self, record: Record) -> None:
        super().save(record)
        self.files_then.fails, self.armed = self.armed, False


def first(session: Session) -> Step:
    step = session.current
    assert step is not None
    return step


def saved(store: MemoryStore) -> Record:
    """The record as the next session would find it."""
    found = store.load()
    assert found is not None
    return found.recovered()


async def test_what_cannot_be_begun_is_said_and_nothing_has_begun() -> None:
    store = FillingStore(room=0)
    session = open_session(store)

    with pytest.raises(ProjectError, match=r"The step did not start\. The disk is full") as raised:
        await session.perform(first(session), {})

    assert raised.value.hint == "Make room."
    assert session.record.attempts == ()
    assert store.held == {}


async def test_what_was_found_and_not_saved_is_not_claimed() -> None:
    store = FillingStore(room=1)
    session = open_session(store)
    step = first(session)

    with pytest.raises(ProjectError, match=r"its result was not saved\. The disk is full"):
        await session.perform(step, {})

    assert session.status_of(step) is Status.INTERRUPTED
    assert session.record.attempts == saved(store).attempts

    store.room = 99
    again = await session.perform(step, {})
    assert again.status is Status.PROVED
    assert [a.status for a in saved(store).attempts] == [Status.INTERRUPTED, Status.PROVED]


async def test_a_waiver_that_is_not_saved_is_none() -> None:
    store = FillingStore(room=1)
    session = open_session(store)
    step = first(session)

    with pytest.raises(ProjectError, match="was not saved"):
        session.waive(step, "because")

    assert session.status_of(step) is Status.INTERRUPTED
    assert saved(store).attempts == session.record.attempts


async def test_what_this_machine_refuses_is_an_outcome_and_not_known() -> None:
    files = FailingFiles()
    store = Beginning(files_then=files)
    session = open_session(store, files)

    await session.perform(first(session), {})
    store.armed = True

    attempt = await session.perform(first(session), {})

    assert attempt.status is Status.UNKNOWN
    assert "Input/output error: /project/migrations" in attempt.words
    assert saved(store).attempts[-1] == attempt

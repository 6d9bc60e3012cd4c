"""GO counts by the bytes that were signed; what it rests on is read again, not remembered."""

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from core.record_values import ANA, FakeKeys, Walk, signed_go
from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.actions.preconditions import require_local_databases, require_unexpired
from d1_preflight.actions.standing import read_signed_plan
from d1_preflight.actions.surroundings import require_same_files
from d1_preflight.adapters.local import LocalDatabases
from d1_preflight.adapters.project_files import ProjectFiles, open_surroundings
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.record.apply_facts import GoFacts
from d1_preflight.core.record.facts import instant
from d1_preflight.core.record.record import Status
from d1_preflight.core.record.signed_plan import SignedPlan
from d1_preflight.session import Session
from plain.fakes import MemoryStore, ReadySigner, open_session
from session.walked import CHECKLIST, StandingClock, opened, ready

GO, APPLIED = CHECKLIST.step("go"), CHECKLIST.step("applied")


def signed(store: MemoryStore) -> Walk:
    going = ready(store)
    files: dict[str, bytes] = {}
    signed_go(going, files)
    store.held.update(files)
    return going


def with_expiry(going: Walk, until: str) -> Walk:
    """What an edit of `record.toml` makes of it: the limit is moved, the signed plan is not."""
    attempts = tuple(
        replace(a, facts={**a.facts, "expires_at": until}) if a.step == "go" else a
        for a in going.record.attempts
    )
    going.record = replace(going.record, attempts=attempts)
    return going


def test_an_expiry_that_was_moved_in_the_record_moves_nothing() -> None:
    going = signed(store := MemoryStore())
    late = going.now + timedelta(hours=5)
    moved = with_expiry(going, instant(late + timedelta(hours=1)))

    session = opened(store, moved, at=late)

    assert session.status_of(GO) is Status.PENDING
    assert [item.words for item in session.blockers(APPLIED) if item.step == GO] == [
        "The signed GO has expired; sign it again."
    ]


def test_the_apply_goes_by_the_expiry_that_was_signed() -> None:
    going = signed(store := MemoryStore())
    plan = SignedPlan.from_bytes(store.held["go.toml"])
    assert plan.expires_at is not None
    context = opened(store, with_expiry(going, instant(going.now + timedelta(days=9)))).context(GO)

    def at(moment: timedelta) -> StepContext:
        clock = StandingClock(cast("Any", plan.expires_at) + moment)
        return replace(context, environment=replace(context.environment, clock=clock))

    require_unexpired(at(timedelta()), plan)
    with pytest.raises(NotAllowed, match="The signed GO has expired"):
        require_unexpired(at(timedelta(seconds=1)), plan)


@pytest.mark.parametrize("name", ["go.toml", "go.toml.sig"])
@pytest.mark.parametrize("change", [b"", b"x", None])
def test_a_go_whose_bytes_are_not_those_that_were_signed_counts_no_more(
    name: str, change: bytes | None
) -> None:
    going = signed(store := MemoryStore())
    if change is None:
        del store.held[name]
    else:
        store.held[name] = (store.held[name] + change) if change else b""

    session = opened(store, going)

    assert session.status_of(GO) is Status.PENDING
    assert "is not what was signed" in session.blockers(APPLIED)[0].words


def test_signers_are_read_again_at_the_apply() -> None:
    going = signed(store := MemoryStore())
    session = opened(store, going)
    assert session.blockers(APPLIED) == ()
    signers = FakeKeys({ANA: ()})  # ana's line was taken out of allowed_signers meanwhile

    environment = replace(session.environment, signer=ReadySigner(signers, ANA))
    go = GoFacts.from_attempt(session.attempt("go"))
    assert read_signed_plan(session.environment, go).decided_by == ANA

    with pytest.raises(NotAllowed, match="is not what was signed"):
        read_signed_plan(environment, go)


SETTINGS = "[verification]\nwatch_minutes = 5\n"


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("preflight.toml", SETTINGS, SETTINGS.replace("5", "1")),
        ("preflight.toml", SETTINGS, None),
        ("preflight.toml", None, SETTINGS),
        ("checklists/d1.toml", "schema = 1\n", "schema = 1\n# less\n"),
        ("checklists/d1.toml", None, "schema = 1\n"),
        ("checklists/d1.toml", "schema = 1\n", None),
    ],
)
def test_a_file_that_decides_and_was_changed_in_an_open_session_holds_every_step(
    name: str, before: str | None, after: str | None, tmp_path: Path
) -> None:
    write(tmp_path, "wrangler.toml", 'name = "api"\n[[d1_databases]]\nbinding = "DB"\n'
          'database_name = "shop"\ndatabase_id = "id-1"\n')  # fmt: skip
    write(tmp_path, name, before)
    environment = read_environment(tmp_path)
    session = Session(CHECKLIST, environment)
    require_same_files(environment)

    write(tmp_path, name, after)

    for step in (CHECKLIST.step("named"), GO, APPLIED):
        with pytest.raises(NotAllowed, match="was changed since preflight read it"):
            session.waive(step, "x")
    with pytest.raises(NotAllowed, match="was changed since preflight read it") as refused:
        require_same_files(environment)
    assert "start again" in refused.value.hint
    require_same_files(read_environment(tmp_path))


def write(root: Path, name: str, text: str | None) -> None:
    path = root / name
    path.parent.mkdir(exist_ok=True)
    if text is None:
        path.unlink(missing_ok=True)
    else:
        path.write_text(text)


@dataclass
class ProjectTexts:
    """The files of a real folder under the migrations of a fake one."""

    real: ProjectFiles
    fake: object

    def __getattr__(self, name: str) -> object:
        return getattr(self.real if name in {"sha256", "config_sha256"} else self.fake, name)


def read_environment(root: Path) -> Environment:
    project = open_surroundings(root, environ={}).project
    files = ProjectFiles(project)
    fake = open_session(MemoryStore()).environment
    names = ("preflight.toml", "checklists/d1.toml")
    read = {
        names[0]: project.settings_sha256,
        names[1]: files.sha256(names[1]),
    }
    texts = cast("Any", ProjectTexts(files, fake.files))
    config = replace(fake.project.config, sha256=files.config_sha256())
    kept = replace(fake.project, config=config)
    return replace(fake, files=texts, read=read, project=kept)


@pytest.mark.parametrize("gone", ["copy", "rehearsal"])
def test_a_copy_or_rehearsal_that_is_gone_holds_the_apply(gone: str, tmp_path: Path) -> None:
    local, workspace = LocalDatabases("id-1"), tmp_path / ".preflight"
    environment = cast(
        "Environment",
        SimpleNamespace(
            local=local, workspace=workspace, copy=workspace / "copy" / "d1",
            project=SimpleNamespace(root=tmp_path),
        ),
    )  # fmt: skip
    files = {name: local.file(workspace / name / "d1") for name in ("copy", "rehearsal")}
    for file in files.values():
        file.parent.mkdir(parents=True)
        file.touch()
    require_local_databases(environment)

    files[gone].unlink()

    with pytest.raises(NotAllowed, match=rf"\.preflight/{gone}/d1 is no longer on this machine"):
        require_local_databases(environment)

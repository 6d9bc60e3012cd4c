"""Failures at the worst moment: the record tells the truth, nothing is repeated or lost."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from d1_preflight.adapters.own_cache import user_cache
from d1_preflight.core.checklist.answers import FIXED_MANUALLY, KEPT
from d1_preflight.core.errors import NotAllowed, RecordBusy
from d1_preflight.core.ports import Emit, Evidence, silent
from d1_preflight.core.record.record import Status
from d1_preflight.practice.faults import Fault
from d1_preflight.project_context import ProjectContext, open_context
from d1_preflight.session import Session
from flow.conftest import OpenPractice
from flow.walking import CountingWrangler, PatientClock, open_session, try_step, walk_to

pytestmark = pytest.mark.wrangler
NAME = "0057_add_team_billing_columns.sql"


async def ledger_count(session_wrangler: CountingWrangler, context: ProjectContext) -> str:
    ran = await session_wrangler.run(
        ("d1", "execute", context.project.database.name, "--remote", "--json",
         f"--command=SELECT count(*) AS n FROM d1_migrations WHERE name = '{NAME}'"),
        cwd=context.project.root,
    )  # fmt: skip
    return ran.stdout


@pytest.mark.matrix
async def test_a_cut_connection_after_the_commit_counts_as_applied(practice: OpenPractice) -> None:
    context, running = practice("0057")
    session, wrangler = open_session(context, NAME)
    await walk_to(session, "applied")
    running.server.faults.set([Fault.parse("dies-mid-apply,count=1")])

    attempt = await try_step(session, "applied")

    assert attempt.status is Status.PROVED
    assert "unknown by whom" in attempt.words
    assert '"n": 1' in await ledger_count(wrangler, context)


@pytest.mark.matrix  # the suite has it on a target in memory: actions/test_apply_ends
async def test_a_refused_apply_is_told_as_not_applied_and_may_be_tried_again(
    practice: OpenPractice,
) -> None:
    context, running = practice("0057")
    session, wrangler = open_session(context, NAME)
    await walk_to(session, "applied")
    running.server.faults.set([Fault.parse("fails-mid-apply,count=1")])

    attempt = await try_step(session, "applied")

    assert attempt.status is Status.FAILED
    assert "Not applied" in attempt.words
    again = await try_step(session, "applied")
    assert again.status is Status.PROVED
    assert '"n": 1' in await ledger_count(wrangler, context)


@pytest.mark.matrix
async def test_a_file_edited_after_go_goes_back_to_the_gate(practice: OpenPractice) -> None:
    context, _ = practice("0057")
    session, _ = open_session(context, NAME)
    await walk_to(session, "applied")
    path = context.project.migrations_folder / NAME
    path.write_text(path.read_text() + "-- one more thought\n")

    with pytest.raises(NotAllowed):
        await try_step(session, "applied")

    assert session.current is not None
    assert session.current.section == "classification"


@pytest.mark.matrix  # the suite has it on a target in memory: actions/test_apply_ends
async def test_a_configuration_edited_after_go_is_not_applied_with(practice: OpenPractice) -> None:
    context, _ = practice("0057")
    session, wrangler = open_session(context, NAME)
    await walk_to(session, "applied")
    config = context.project.config.path
    config.write_bytes(config.read_bytes() + b"\n")

    with pytest.raises(NotAllowed, match="was changed since"):
        await try_step(session, "applied")
    session.close()
    again = open_context(start=context.project.root, environ=context.environ, target="practice")
    session, _ = open_session(replace(again, _toolchain=context.toolchain), NAME)
    attempt = await try_step(session, "applied")

    assert attempt.status is Status.FAILED
    assert "the configuration changed" in attempt.words
    assert '"n": 0' in await ledger_count(wrangler, context)


@pytest.mark.matrix  # the suite has it on a target in memory: actions/test_moved_matrix
async def test_a_target_that_changed_after_go_is_not_applied_to(practice: OpenPractice) -> None:
    context, _ = practice("0057")
    session, wrangler = open_session(context, NAME)
    await walk_to(session, "applied")
    await wrangler.run(
        ("d1", "execute", context.project.database.name, "--remote", "--json",
         "--command=CREATE TABLE somebody_elses (id INTEGER PRIMARY KEY)"),
        cwd=context.project.root,
    )  # fmt: skip

    attempt = await try_step(session, "applied")

    assert attempt.status is Status.FAILED
    assert "schema" in attempt.words
    assert '"n": 0' in await ledger_count(wrangler, context)


@pytest.mark.parametrize("fault", ["api-down", "unauthorized", "rate-limited", "server-error"])
async def test_an_api_that_does_not_answer_leaves_the_step_unknown(
    practice: OpenPractice, fault: str
) -> None:
    context, _ = practice("0057", fault)
    session, _ = open_session(context, NAME)
    await walk_to(session, "copied")

    attempt = await try_step(session, "copied")

    assert attempt.status is Status.UNKNOWN
    assert "Traceback" not in attempt.words


async def test_a_second_operator_is_kept_out(practice: OpenPractice) -> None:
    context, _ = practice("0057")
    session, _ = open_session(context, NAME)

    with pytest.raises(RecordBusy):
        context.session(NAME)

    session.close()
    context.session(NAME).close()


async def test_killed_while_it_applies_it_is_observed_and_never_repeated(
    practice: OpenPractice, tmp_path: Path
) -> None:
    context, running = practice("0057")
    session, _ = open_session(context, NAME)
    await walk_to(session, "applied")
    session.close()
    running.server.faults.set([Fault.parse("slow,scope=apply,milliseconds=3000")])

    script = tmp_path / "applies.py"
    script.write_text(
        KILLING.format(
            tests=str(Path(__file__).parents[1]), project=str(context.project.root), name=NAME
        )
    )
    environ = {**context.environ, "XDG_CACHE_HOME": str(user_cache().parent)}
    if "PYTHONPATH" in os.environ:  # the same program as here, not one that is installed
        environ["PYTHONPATH"] = os.environ["PYTHONPATH"]
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(script), env=environ, start_new_session=True
    )
    assert await child.wait() == -signal.SIGKILL

    session, wrangler = await reopened(context)
    assert session.status_of(session.checklist.step("applied")) is Status.INTERRUPTED
    assert session.prompts(session.checklist.step("applied")) == ()
    attempt = await try_step(session, "applied")
    assert attempt.status is Status.PROVED
    assert not [call for call in wrangler.calls if "apply" in call]
    left = [evidence for evidence in attempt.evidence if "apply" in evidence.argv]
    assert [evidence.exit_code for evidence in left] == [None]
    assert any("-applied.out" in name for evidence in left for name in evidence.files)
    assert '"n": 1' in await ledger_count(wrangler, context)


KILLING = """
import asyncio, os, signal, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from d1_preflight.project_context import open_context
from flow.walking import open_session, try_step

class Killing:
    def __init__(self, real):
        self.real = real
    @property
    def version(self):
        return self.real.version
    async def run(self, args, **more):
        if "apply" in args:
            loop = asyncio.get_running_loop()
            loop.call_later(2.5, os.kill, os.getpid(), signal.SIGKILL)
        return await self.real.run(args, **more)

async def main():
    context = open_context(start=Path({project!r}), target="practice")
    session, counted = open_session(context, {name!r})
    counted.real = Killing(counted.real)
    await try_step(session, "applied")

asyncio.run(main())
"""


async def reopened(context: ProjectContext) -> tuple[Session, CountingWrangler]:
    """The orphaned wrangler holds the lock until it ends; then the record opens."""
    for _ in range(100):
        with contextlib.suppress(RecordBusy):
            return open_session(context, NAME)
        await asyncio.sleep(0.2)
    return open_session(context, NAME)


@pytest.mark.matrix  # the suite has it on a target in memory: actions/test_backup_is_there
async def test_out_of_order_is_asked_and_a_lost_backup_shuts_the_apply(
    practice: OpenPractice,
) -> None:
    context, _ = practice("0061")
    later = "0062_migrate_role_format.sql"
    session, wrangler = open_session(context, later)
    await walk_to(session, "deploy_order")

    prompts = session.prompts(session.checklist.step("deploy_order"))
    await walk_to(session, "applied")
    shutil.rmtree(context.workspace(later) / "backup")
    attempt = await try_step(session, "applied")

    asked = next(prompt for prompt in prompts if prompt.key == "out_of_order")
    assert "0061_rebuild_teams_remove_deprecated.sql" in asked.label
    assert attempt.status is Status.FAILED
    assert "backup" in attempt.words.lower() or "copy of rows" in attempt.words
    assert not [call for call in wrangler.calls if "apply" in call and "--remote" in call]


@pytest.mark.matrix  # the suite has it on a target in memory: actions/test_apply_ends
async def test_limits_that_were_moved_after_go_shut_the_apply(practice: OpenPractice) -> None:
    context, _ = practice("0057")
    session, _ = open_session(context, NAME)
    await walk_to(session, "applied")
    settings = session.environment.settings
    looser = replace(settings.verification, error_rate_percent=Decimal(5))
    project = replace(session.environment.project, settings=replace(settings, verification=looser))
    session.environment = replace(session.environment, project=project)

    attempt = await try_step(session, "applied")

    assert attempt.status is Status.FAILED
    assert "criteria" in attempt.words


@dataclass
class Meanwhile:
    """The real wrangler, behind whose back something happens while it reads the target again."""

    real: CountingWrangler
    happens: Callable[[], object]

    async def run(
        self,
        args: Sequence[str],
        *,
        cwd: Path,
        emit: Emit = silent,
        keep: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the port's own
        protect: bool = False,
    ) -> Evidence:
        ran = await self.real.run(
            args, cwd=cwd, emit=emit, keep=keep, timeout=timeout, protect=protect
        )
        if (keep or "").endswith("-recheck"):
            self.happens()
        return ran

    @property
    def version(self) -> str:
        return self.real.version

    def is_writing(self) -> bool:
        return self.real.is_writing()

    def recover(self, step: str) -> tuple[Evidence, ...]:
        return self.real.recover(step)


@pytest.mark.matrix  # the suite has it on a target in memory: actions/test_apply_ends
async def test_what_changes_while_the_target_is_read_again_is_not_applied(
    practice: OpenPractice,
) -> None:
    context, _ = practice("0057")
    session, wrangler = open_session(context, NAME)
    await walk_to(session, "applied")
    clock, path = session.environment.clock, context.project.migrations_folder / NAME
    assert isinstance(clock, PatientClock)

    late = Meanwhile(wrangler, lambda: setattr(clock, "ahead", timedelta(minutes=31)))
    session.environment = replace(session.environment, wrangler=late)
    expired = await try_step(session, "applied")
    await walk_to(session, "applied")
    edited = Meanwhile(wrangler, lambda: path.write_text(path.read_text() + "-- more\n"))
    session.environment = replace(session.environment, wrangler=edited)
    other = await try_step(session, "applied")

    assert (expired.status, other.status) == (Status.FAILED, Status.FAILED)
    assert "expired" in expired.words
    assert "not the file that was signed" in other.words
    assert '"n": 0' in await ledger_count(wrangler, context)


@pytest.mark.matrix  # the suite has it on a target in memory: actions/test_moved_values
async def test_an_apply_that_nobody_answered_is_looked_at_until_somebody_answers(
    practice: OpenPractice,
) -> None:
    context, running = practice("0057")
    session, wrangler = open_session(context, NAME)
    await walk_to(session, "applied")
    running.server.faults.set([Fault.parse("lost-before,count=1")])

    lost = await try_step(session, "applied")
    running.server.faults.set([Fault.parse("api-down")])
    unseen = await try_step(session, "applied")
    running.server.faults.set(())
    seen = await try_step(session, "applied")
    before = await ledger_count(wrangler, context)
    applied = await try_step(session, "applied")

    assert [a.status for a in (lost, unseen)] == [Status.UNKNOWN, Status.UNKNOWN]
    assert seen.status is Status.FAILED
    assert "was not applied" in seen.words
    assert '"n": 0' in before
    assert applied.status is Status.PROVED


@pytest.mark.matrix  # the suite has it on a target in memory: core/test_gate
async def test_a_bookmark_that_is_too_old_shuts_the_gate(practice: OpenPractice) -> None:
    context, _ = practice("0057")
    session, _ = open_session(context, NAME)
    await walk_to(session, "go")
    clock = session.environment.clock
    assert isinstance(clock, PatientClock)
    clock.ahead += timedelta(days=8)

    with pytest.raises(NotAllowed, match="has to wait") as refused:
        await try_step(session, "go")

    assert "stale: " in refused.value.hint
    assert "bookmark" in {item.step.id for item in session.open_before_go()}


@pytest.mark.matrix  # the suite has it on a target in memory: actions/test_rollback_ends
async def test_a_rolled_back_migration_cannot_be_closed_as_kept(
    practice: OpenPractice,
) -> None:
    name = "0060_rename_workflow_runs_old_name.sql"
    context, _ = practice("0060")
    session, wrangler = open_session(context, name)
    await walk_to(session, "deploy_order")
    await try_step(session, "deploy_order")
    await walk_to(session, "close", {"reason": "the practice API may break for a minute"})
    down = "--command=ALTER TABLE workflow_runs RENAME COLUMN new_name TO old_name"
    database = context.project.database.name
    back = await wrangler.run(
        ("d1", "execute", database, "--remote", "--json", down), cwd=context.project.root
    )

    kept = await try_step(session, "close", {"end": KEPT})
    fixed = await try_step(session, "close", {"end": FIXED_MANUALLY})
    closed_too_early = session.closed
    rolled_back = await try_step(session, "close", {"end": "rolled back"})

    assert back.exit_code == 0
    assert kept.status is Status.FAILED
    assert "rolled back" in kept.words
    assert fixed.status is Status.FAILED
    assert "the one from before" in fixed.words
    assert not closed_too_early
    assert rolled_back.status is Status.ATTESTED
    assert session.closed

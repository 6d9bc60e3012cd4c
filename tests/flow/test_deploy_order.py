"""The rename of the practice project, walked to its end: the order proved, the Worker deployed."""

from pathlib import Path

import pytest

from d1_preflight.adapters.git.door import ask_git
from d1_preflight.core.checklist.answers import DATABASE_FIRST, NO_WORKER, Order
from d1_preflight.core.record.record import Status
from d1_preflight.core.record.safety_facts import DeployOrderFacts
from d1_preflight.practice.worker import CURRENT
from d1_preflight.project_context import ProjectContext
from d1_preflight.session import Session
from flow.conftest import OpenPractice
from flow.walking import open_session, try_step, walk_to

pytestmark = pytest.mark.wrangler
RENAME = "0060_rename_workflow_runs_old_name.sql"
REASON = "the last run may be missing for a minute"


def facts(session: Session) -> DeployOrderFacts:
    return DeployOrderFacts.from_attempt(session.attempt("deploy_order"))


def renamed(context: ProjectContext) -> Path:
    """The Worker's source, edited as the rename asks for it."""
    source = context.project.root / "src" / "index.ts"
    source.write_text(source.read_text().replace("r.old_name", "r.new_name"))
    return source


@pytest.mark.matrix
async def test_the_rename_is_split_or_needs_its_reason_and_the_new_code_after_it(
    practice: OpenPractice,
) -> None:
    context, running = practice("0060")
    session, wrangler = open_session(context, RENAME)
    await walk_to(session, "deploy_order")
    commit = ask_git(("rev-parse", "HEAD"), context.project.root).text
    prompt = next(
        p for p in session.prompts(session.checklist.step("deploy_order")) if p.key == "deployed"
    )

    unedited = await try_step(session, "deploy_order", {"order": NO_WORKER})
    alone = facts(session)
    renamed(context)
    edited = await try_step(session, "deploy_order", {"order": DATABASE_FIRST, "reason": ""})
    both = facts(session)
    given = {"order": DATABASE_FIRST, "reason": REASON}
    await walk_to(session, "worker_deployed", given)
    early = await try_step(session, "worker_deployed")
    deployed = await wrangler.run(("deploy",), cwd=context.project.root)
    after = await try_step(session, "worker_deployed")
    await walk_to(session)

    assert prompt.choices[0] == commit
    assert prompt.label_of(commit).endswith("message of the deployment")
    assert (unedited.status, edited.status) == (Status.FAILED, Status.FAILED)
    assert (alone.safe_order, both.safe_order) == (Order.SPLIT, Order.SPLIT)
    assert (alone.deployed_breaks, alone.new_breaks_at_home, both.new_breaks) == (1, 1, 1)
    assert {q.at for q in both.breaks} == {"src/index.ts:27"}
    assert "no such column: r.old_name" in edited.words
    assert session.attempt("go") is not None
    assert early.status is Status.FAILED
    assert CURRENT.id[:8] in early.words
    assert deployed.exit_code == 0, deployed.shown
    assert after.status is Status.PROVED
    assert running.server.cloud.messages
    assert session.closed
    assert session.attempt("errors") is not None

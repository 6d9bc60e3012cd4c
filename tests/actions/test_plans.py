"""What is shown before it runs is what runs: each plan names its command and its target."""

import re
from dataclasses import replace

import pytest

from actions.conftest import Walked
from actions.fake_target import UUID, Bench
from d1_preflight.core.project.wrangler_config import WranglerConfig
from d1_preflight.core.record.record import Status
from d1_preflight.session import Session

CONFIG = rf"--config \.preflight/targets/{UUID}\.json"
PLANS = {
    "copied": (
        (
            r"read ledger, schema and every row of marketplace-production"
            r" \(wrangler d1 execute --remote --json\)"
        ),
        r"into \.preflight/copy/d1, private, never in git",
    ),
    "rehearsed": (
        (
            r"wrangler d1 migrations apply marketplace-production --local --config"
            r" '<staged>/wrangler\.json' --persist-to \.preflight/rehearsal/d1"
        ),
    ),
    "backed_up": (
        r"read the rows of teams, value for value \(wrangler d1 execute --json, batched\)",
        (
            rf"wrangler d1 export marketplace-production {CONFIG} --remote --output export\.sql"
            r" --table teams   \(D1 answers nothing else while it exports\)"
        ),
    ),
    "bookmark": (rf"wrangler d1 time-travel info marketplace-production {CONFIG} --json",),
    "running_code": (
        rf"wrangler deployments list --name workway-api {CONFIG} --json",
        (
            r"wrangler versions view '<the version that runs>' --name workway-api"
            rf" {CONFIG} --json"
        ),
        r"the second only if the first names no commit; both ask the Workers API, none D1",
    ),
    "worker_deployed": (rf"wrangler deployments list --name workway-api {CONFIG} --json",),
    "applied": (
        r"re-check ledger, schema and values of marketplace-production",
        (
            r"wrangler d1 migrations apply marketplace-production"
            r" --config '<staged>/wrangler\.json' --remote"
        ),
        r"read the ledger again",
    ),
    "ledger": (
        rf"wrangler d1 execute marketplace-production {CONFIG} --remote --json '--command=.*",
    ),
}


@pytest.mark.parametrize("step", PLANS)
async def test_a_plan_names_the_command_and_its_target(walked: Walked, step: str) -> None:
    bench = await walked(step)

    plan = bench.session.plan(bench.session.checklist.step(step))

    assert len(plan) == len(PLANS[step])
    for line, pattern in zip(plan, PLANS[step], strict=True):
        assert re.fullmatch(pattern, line, re.DOTALL), line


async def test_no_other_step_has_a_plan(walked: Walked) -> None:
    bench = await walked("close")

    planned = {step.id for step in bench.session.checklist.steps if bench.session.plan(step)}

    assert planned == {*PLANS, "dashboard", "errors"}


async def test_what_is_remote_goes_to_the_targets_own_configuration(walked: Walked) -> None:
    bench = await walked("dashboard")
    bench.target.calls.clear()
    await bench.walk("close")

    config = str(bench.session.project.target_config)
    for call in bench.target.calls:
        if "apply" not in call:
            assert config in call
            assert "--env" not in call
        by_nature = call[0] == "deployments" or call[1] in ("info", "time-travel")
        assert "--remote" in call or by_nature


def unnamed(bench: Bench) -> Session:
    """A session of a project whose Worker has no name."""
    session = bench.session
    config = WranglerConfig(session.project.config.path)
    environment = replace(session.environment, project=replace(session.project, config=config))
    return Session(session.checklist, environment)


async def test_without_a_workers_name_its_errors_are_unknown(walked: Walked) -> None:
    bench = await walked("errors")
    bench.session = unnamed(bench)

    attempt = await bench.step("errors")

    assert attempt.status is Status.UNKNOWN
    assert attempt.words.startswith("No Worker is named, so its error rate cannot be read.")


async def test_without_a_workers_name_no_deployment_is_asked_for(walked: Walked) -> None:
    bench = await walked("running_code")
    bench.session = unnamed(bench)
    assert bench.session.plan(bench.session.checklist.step("running_code")) == ()

    attempt = await bench.step("running_code")

    assert attempt.status is Status.UNKNOWN
    assert attempt.words.startswith("No Worker is named")
    assert "deployments" not in bench.target.commands

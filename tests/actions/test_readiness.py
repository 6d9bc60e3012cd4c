"""Before GO the checks of the verification are tried once: what lacks is said in time."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import cast

from core.record_values import START, Walk, shipped_checklist
from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.actions.readiness import check_readiness
from d1_preflight.adapters.http import ProbeResult
from d1_preflight.core.errors import ProjectError, RemoteFailed
from d1_preflight.core.findings import Kind
from d1_preflight.core.project.setting_types import Endpoint
from d1_preflight.core.record.apply_facts import ReadyFacts
from d1_preflight.core.record.record import Outcome, Status

CHECKLIST = shipped_checklist()
HEALTH = Endpoint(url="https://api.example.com/health")
ME = Endpoint(url="https://api.example.com/me", bearer_env="API_TOKEN")


def analytics_of(requests: int, errors: int) -> Mapping[str, object]:
    group = {
        "dimensions": {"datetimeMinute": "2026-11-23T13:30:00Z"},
        "sum": {"requests": requests, "errors": errors},
    }
    return {"viewer": {"accounts": [{"workersInvocationsAdaptive": [group]}]}}


@dataclass
class Web:
    """Endpoints that answer a status, analytics that answer or refuse, a token that may lack."""

    status: int = 200
    token: bool = True
    traffic: Mapping[str, object] | None = None

    def account(self, configured: str) -> str:
        return configured

    async def probe(self, endpoint: Endpoint) -> ProbeResult:
        if endpoint.bearer_env and not self.token:
            raise ProjectError(
                f"An endpoint needs the environment variable {endpoint.bearer_env}.", hint="Export."
            )
        ok = self.status == endpoint.expect
        return ProbeResult(self.status, 12, ok=ok, words=f"answered {self.status}")

    async def analytics(self, query: str, variables: Mapping[str, object]) -> Mapping[str, object]:
        assert query
        assert variables["script"] == "api"
        if self.traffic is None:
            raise RemoteFailed("Analytics need CLOUDFLARE_API_TOKEN.", hint="Set it.")
        return self.traffic


async def asked(web: Web, *endpoints: Endpoint, worker: str = "api") -> Outcome:
    settings = SimpleNamespace(verification=SimpleNamespace(endpoints=endpoints, worker=worker))
    config = SimpleNamespace(account_id="acc", name="")
    environment = SimpleNamespace(
        settings=settings, web=web, project=SimpleNamespace(config=config, worker=worker),
        clock=SimpleNamespace(now=lambda: START),
    )  # fmt: skip
    environment.named_worker = partial(Environment.named_worker, cast("Environment", environment))
    context = StepContext(
        environment=cast("Environment", environment), record=Walk(CHECKLIST).record,
        checklist=CHECKLIST, kind=Kind.ADDITIVE, step=CHECKLIST.step("ready"), answers={},
    )  # fmt: skip
    return await check_readiness(context)


async def test_what_answers_before_the_apply_is_the_baseline() -> None:
    outcome = await asked(Web(traffic=analytics_of(2000, 2)), HEALTH, ME)

    facts = outcome.facts
    assert isinstance(facts, ReadyFacts)
    assert outcome.status is Status.PROVED, outcome.words
    assert [(a.status, a.ok) for a in facts.endpoints] == [(200, True), (200, True)]
    assert (facts.requests, facts.errors, facts.worker) == (2000, 2, "api")
    assert "2 endpoints as expected" in outcome.words


async def test_a_token_that_is_not_set_is_said_before_go() -> None:
    outcome = await asked(Web(token=False, traffic=analytics_of(2000, 2)), HEALTH, ME)

    assert outcome.status is Status.UNKNOWN
    assert "API_TOKEN" in outcome.words


async def test_an_endpoint_that_is_broken_already_is_said_before_go() -> None:
    outcome = await asked(Web(status=500, traffic=analytics_of(2000, 2)), HEALTH)

    assert outcome.status is Status.FAILED
    assert "already before the apply" in outcome.words


async def test_no_endpoints_no_worker_and_no_analytics_are_no_pass() -> None:
    nothing = await asked(Web(traffic=analytics_of(2000, 2)))
    blind = await asked(Web(), HEALTH)
    nameless = await asked(Web(traffic=analytics_of(2000, 2)), HEALTH, worker="")

    assert [found.status for found in (nothing, blind, nameless)] == [Status.UNKNOWN] * 3
    assert "No endpoints are configured" in nothing.words
    assert "CLOUDFLARE_API_TOKEN" in blind.words
    assert "No Worker is named" in nameless.words
    both = (await asked(Web())).facts
    assert isinstance(both, ReadyFacts)
    assert len(both.missing) == 2


async def test_a_worker_without_requests_may_be_misnamed() -> None:
    outcome = await asked(Web(traffic=analytics_of(0, 0)), HEALTH)

    assert outcome.status is Status.UNKNOWN
    assert "The Worker “api” had no request in a day" in outcome.words

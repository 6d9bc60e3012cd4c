"""The order of deploy and migration: which code runs, what the queries prove, what they refuse."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from actions.conftest import Walked
from actions.fake_target import ADDITIVE, Bench, cut, failed, replied
from d1_preflight.actions.verification import uncalled_routes
from d1_preflight.core.checklist.answers import (
    DATABASE_FIRST,
    EXPAND_AND_CONTRACT,
    FILES_HERE,
    NO_WORKER,
    NOT_KNOWN,
    OTHER_REVISION,
    WORKER_FIRST,
    Order,
)
from d1_preflight.core.checklist.checklist import still_asked
from d1_preflight.core.errors import Rejected, UsageError
from d1_preflight.core.ports import Evidence
from d1_preflight.core.project.setting_types import Endpoint
from d1_preflight.core.record.record import Attempt, Status
from d1_preflight.core.record.safety_facts import (
    BrokenQueryFacts,
    DeployOrderFacts,
    RevisionProposal,
)
from d1_preflight.core.record.signed_plan import SignedPlan
from d1_preflight.core.schema.schema import Schema
from sampling import sampled

COMMIT = "abc1234def" + "0" * 30
OLD, NEW = "v1-live", "v2-new"
ORDERS = (NO_WORKER, DATABASE_FIRST, WORKER_FIRST, EXPAND_AND_CONTRACT)
BREAKS = (
    BrokenQueryFacts(
        code="deployed code", schema="new schema", at="src/a.ts:3", words="no such column: old"
    ),
    BrokenQueryFacts(
        code="new code", schema="old schema", at="src/b.ts:7", words="no such column: fresh"
    ),
)


def found(
    order: Order,
    *,
    unseen: tuple[str, ...] = (),
    harmless: bool = False,
    routes: tuple[str, ...] = (),
) -> DeployOrderFacts:
    """What the queries say, for each of the four verdicts."""
    old = int(order in (Order.CODE_FIRST, Order.SPLIT))
    new = int(order in (Order.DATABASE_FIRST, Order.SPLIT))
    return DeployOrderFacts(
        safe_order=order,
        deployed=COMMIT,
        deployed_queries=4,
        new_queries=5,
        deployed_breaks=old,
        new_breaks=new,
        new_breaks_at_home=0,
        harmless=harmless,
        unseen=unseen,
        routes=routes,
        breaks=tuple(b for b, is_there in zip(BREAKS, (old, new), strict=True) if is_there),
        steps=("Expand.",) if order is Order.SPLIT else (),
        removed=("column teams.old",) if old else (),
    )


@dataclass
class Source:
    """Source code whose queries say what the test says."""

    facts: DeployOrderFacts
    why: str = "tag of version v1-live"
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    notes: list[Mapping[str, str]] = field(default_factory=list)

    def proposals(self, notes: Mapping[str, str]) -> Sequence[RevisionProposal]:
        self.notes.append(notes)
        return (
            RevisionProposal(commit=COMMIT, why=self.why),
            RevisionProposal(commit=FILES_HERE, why="as they are now"),
        )

    def proof(
        self, deployed: str, before: Schema, after: Schema, scripts: Mapping[str, str]
    ) -> DeployOrderFacts:
        assert before.fingerprint != after.fingerprint
        if deployed == "gone":
            raise UsageError("git knows no revision 'gone' here.")
        self.asked.append((deployed, scripts))
        return self.facts


async def ordered(
    walked: Walked,
    order: Order,
    *,
    unseen: tuple[str, ...] = (),
    harmless: bool = False,
    routes: tuple[str, ...] = (),
) -> Bench:
    """A walk up to the step, with source that says so."""
    bench = await walked("running_code")
    bench.source = Source(found(order, unseen=unseen, harmless=harmless, routes=routes))
    bench.opened()
    await bench.step("running_code")
    return bench


async def chosen(bench: Bench, order: str, **given: object) -> Attempt:
    return await bench.step("deploy_order", **{"order": order, **given})


def without_the_right(ran: Evidence) -> Evidence:
    words = "✘ [ERROR] Authentication error [code: 10000]"
    return replace(ran, exit_code=1, stdout="", shown="", stderr=words)


@pytest.mark.parametrize(
    ("answer", "lacks"),
    [(cut, False), (failed("no: SQLITE_ERROR"), False), (without_the_right, True)],
)
async def test_a_live_version_that_cannot_be_read_is_unknown(
    walked: Walked, answer: object, *, lacks: bool
) -> None:
    bench = await walked("running_code")
    bench.target.instead["deployments"] = answer  # type: ignore[assignment]  # either answer

    attempt = await bench.step("running_code")

    assert attempt.status is Status.UNKNOWN
    assert attempt.words.startswith("The live version of workway-api is not known: ")
    assert ("lack Workers Scripts: Read" in attempt.words) == lacks
    assert "version" not in attempt.facts


@pytest.mark.parametrize("said", [[], {}, [{"versions": []}], [{"versions": "v"}], [7]])
async def test_a_live_version_that_is_not_told_is_unknown(walked: Walked, said: object) -> None:
    bench = await walked("running_code")
    bench.target.instead["deployments"] = lambda ran: replied(ran.argv, said)

    attempt = await bench.step("running_code")

    assert attempt.status is Status.UNKNOWN
    assert "names no version of workway-api" in attempt.words


async def test_the_newest_deployment_counts_and_every_version_with_traffic(
    walked: Walked,
) -> None:
    bench = await walked("running_code")
    newest = [{"version_id": "a", "percentage": 10}, {"version_id": "b", "percentage": 90},
              {"version_id": "c", "percentage": 0}]  # fmt: skip
    older = [{"version_id": "z", "percentage": 100}]
    bench.target.instead["deployments"] = lambda ran: replied(
        ran.argv,
        [{"created_on": "2026-11-23", "versions": newest}, {"created_on": "2026-11-01",
         "versions": older}],
    )  # fmt: skip

    attempt = await bench.step("running_code")

    assert (attempt.facts["version"], attempt.facts["versions"]) == ("b", ("b", "a"))


async def test_the_notes_of_the_version_are_handed_on_as_proposals(walked: Walked) -> None:
    bench = await walked("running_code")
    bench.source = source = Source(found(Order.ANY))
    bench.target.notes = {"workers/tag": "v42", "workers/message": "Fix abc1234"}
    bench.opened()

    attempt = await bench.step("running_code")

    assert source.notes[-1] == {
        "v42": "tag of version v1-live", "Fix abc1234": "message of version v1-live"
    }  # fmt: skip
    assert "its tag of version v1-live names abc1234de" in attempt.words
    assert bench.target.commands[-2:] == ["deployments", "versions"]


async def test_the_notes_of_a_version_are_asked_for_once(walked: Walked) -> None:
    bench = await walked("running_code")
    bench.source = Source(found(Order.ANY))
    bench.target.notes = {"workers/tag": "v42"}
    bench.opened()

    words = [(await bench.step("running_code")).words for _ in range(2)]

    assert words[0] == words[1]
    assert bench.target.commands.count("versions") == 1


async def test_without_a_source_no_notes_are_asked_for(walked: Walked) -> None:
    bench = await walked("running_code")
    bench.target.notes = {"workers/tag": "v42"}

    attempt = await bench.step("running_code")

    assert attempt.facts["version"] == "v1-live"
    assert "versions" not in bench.target.commands


async def test_a_deployment_that_names_its_commit_is_asked_for_no_more(walked: Walked) -> None:
    bench = await walked("running_code")
    bench.source = Source(found(Order.ANY), why="message of the deployment")
    bench.target.deployment_notes = {"workers/message": "Fix abc1234"}
    bench.opened()
    bench.target.calls.clear()

    attempt = await bench.step("running_code")

    assert "its message of the deployment names abc1234de" in attempt.words
    assert bench.target.commands == ["deployments"]


async def test_nothing_is_preselected_and_the_operator_confirms_the_revision(
    walked: Walked,
) -> None:
    bench = await ordered(walked, Order.ANY)
    step = bench.session.checklist.step("deploy_order")
    prompt = next(p for p in bench.session.prompts(step) if p.key == "deployed")
    assert prompt.choices == (COMMIT, FILES_HERE, OTHER_REVISION, NOT_KNOWN)

    attempt = await chosen(bench, NO_WORKER, deployed=COMMIT)

    assert attempt.status is Status.PROVED
    assert attempt.facts["deployed"] == COMMIT
    assert isinstance(bench.source, Source)
    assert [deployed for deployed, _ in bench.source.asked] == [COMMIT]


async def test_another_revision_is_named_and_one_that_git_does_not_know_fails(
    walked: Walked,
) -> None:
    bench = await ordered(walked, Order.ANY)

    attempt = await chosen(bench, NO_WORKER, deployed=OTHER_REVISION, revision="gone")

    assert attempt.status is Status.FAILED
    assert "git knows no revision 'gone'" in attempt.words


REFUSED = {
    Order.ANY: (),
    Order.DATABASE_FIRST: (NO_WORKER, WORKER_FIRST),
    Order.CODE_FIRST: (NO_WORKER, DATABASE_FIRST, EXPAND_AND_CONTRACT),
    Order.SPLIT: ORDERS,
}


@pytest.mark.parametrize("verdict", Order)
async def test_what_the_queries_contradict_needs_a_reason(walked: Walked, verdict: Order) -> None:
    bench = await ordered(walked, verdict)
    for answer in ORDERS:
        attempt = await chosen(bench, answer)
        if answer not in REFUSED[verdict]:
            wants = Status.UNKNOWN if answer == EXPAND_AND_CONTRACT else Status.PROVED
            assert attempt.status is wants, attempt.words
            continue
        assert attempt.status is Status.FAILED
        assert "the queries contradict it" in attempt.words
        assert "src/" in attempt.words

        attempt = await chosen(bench, answer, reason="a maintenance page is up")

        assert attempt.status is Status.ATTESTED
        assert attempt.facts["contradicted"]
        assert attempt.words.endswith("Reason: a maintenance page is up")


async def test_a_reason_keeps_the_contradicted_order_and_asks_nothing_else(walked: Walked) -> None:
    bench = await ordered(walked, Order.SPLIT)
    step = bench.session.checklist.step("deploy_order")
    first = await chosen(bench, DATABASE_FIRST)

    asked = bench.session.prompts(step)
    kept = {"reason": "a maintenance page is up"}
    again = await bench.session.perform(step, kept)

    assert asked[0].key == "reason"
    assert [p.key for p in asked if still_asked(p, kept)] == ["reason"]
    assert {p.key for p in asked if still_asked(p, {"reason": ""})} >= {"deployed", "order"}
    assert again.status is Status.ATTESTED
    assert again.answers == {**first.answers, **kept}


async def test_another_order_is_asked_in_full(walked: Walked) -> None:
    bench = await ordered(walked, Order.DATABASE_FIRST)
    step = bench.session.checklist.step("deploy_order")
    first = await chosen(bench, WORKER_FIRST)

    with pytest.raises(Rejected):
        await bench.session.perform(step, {"reason": ""})
    answers = {"reason": "", "deployed": first.answers["deployed"], "order": DATABASE_FIRST}
    again = await bench.session.perform(step, answers)

    assert again.status is Status.PROVED
    assert again.answers["order"] == DATABASE_FIRST


async def test_no_reason_is_asked_before_a_contradiction(walked: Walked) -> None:
    bench = await ordered(walked, Order.SPLIT)
    step = bench.session.checklist.step("deploy_order")
    assert "reason" not in {p.key for p in bench.session.prompts(step)}

    attempt = await bench.step("deploy_order", order=DATABASE_FIRST, reason="told too early")

    assert attempt.status is Status.FAILED


async def test_queries_that_nobody_saw_are_unknown_then_attested(walked: Walked) -> None:
    bench = await ordered(walked, Order.ANY, unseen=("drizzle: the queries of 12 files",))

    first = await chosen(bench, NO_WORKER)
    second = await chosen(bench, NO_WORKER, unseen="read all twelve")

    assert (first.status, second.status) == (Status.UNKNOWN, Status.ATTESTED)
    assert "drizzle: the queries of 12 files" in first.words
    assert second.words.endswith("Checked: read all twelve")


async def test_a_change_that_breaks_no_query_needs_no_words_about_unseen_ones(
    walked: Walked,
) -> None:
    bench = await ordered(walked, Order.ANY, unseen=("drizzle: 2 files",), harmless=True)

    assert (await chosen(bench, NO_WORKER)).status is Status.PROVED


async def test_without_source_an_order_is_attested(walked: Walked) -> None:
    bench = await walked("deploy_order")

    attempt = await bench.step("deploy_order")

    assert attempt.status is Status.ATTESTED
    assert "no source of the Worker was read" in attempt.words


async def test_the_owed_contract_half_is_named_and_must_exist(walked: Walked) -> None:
    bench = await ordered(walked, Order.DATABASE_FIRST)
    await chosen(bench, EXPAND_AND_CONTRACT)

    wrong = await chosen(bench, EXPAND_AND_CONTRACT, owed="teams.nothing")
    right = await chosen(bench, EXPAND_AND_CONTRACT, owed="teams.name, log")

    assert wrong.status is Status.UNKNOWN
    assert "there is no teams.nothing to drop" in wrong.words
    assert right.status is Status.PROVED
    assert right.facts["owed"] == ("teams.name", "log")


# GO, the apply and the version that runs after it.


async def at_go(
    walked: Walked,
    verdict: Order,
    order: str,
    *,
    harmless: bool = False,
    routes: tuple[str, ...] = (),
) -> Bench:
    bench = await ordered(walked, verdict, harmless=harmless, routes=routes)
    await chosen(bench, order)
    return await bench.walk("go")


def plan_of(bench: Bench) -> SignedPlan:
    return SignedPlan.from_bytes(bench.store.held["go.toml"])


async def test_go_freezes_the_version_and_names_the_order_and_what_breaks(walked: Walked) -> None:
    bench = await at_go(walked, Order.DATABASE_FIRST, DATABASE_FIRST)

    attempt = await bench.step("go")

    proofs = plan_of(bench).proofs
    assert (proofs.worker, proofs.worker_version) == ("workway-api", OLD)
    assert proofs.deploy_order == "database first, then Worker; no query breaks in between"
    assert attempt.facts["worker_version"] == OLD


async def test_code_first_is_deployed_before_go(walked: Walked) -> None:
    bench = await at_go(walked, Order.CODE_FIRST, WORKER_FIRST)

    early = await bench.step("go")
    bench.target.running = {NEW: 90, OLD: 10}
    half_way = await bench.step("go")
    bench.target.running = {NEW: 100}
    signed = await bench.step("go")

    for attempt in (early, half_way):
        assert attempt.status is Status.FAILED
        assert "Code first: workway-api still runs version v1-live, of which 1 query" in (
            attempt.words
        )
    assert signed.status is Status.ATTESTED
    assert plan_of(bench).proofs.worker_version == NEW


async def test_where_no_version_is_known_a_person_says_that_the_new_code_runs(
    walked: Walked,
) -> None:
    bench = await walked("running_code")
    bench.source = Source(found(Order.CODE_FIRST))
    bench.target.instead["deployments"] = cut
    bench.opened()
    await bench.step("running_code")
    bench.session.waive(bench.session.checklist.step("running_code"), "no token for it")
    await chosen(bench, WORKER_FIRST)
    await bench.walk("go")

    asked = [p.key for p in bench.session.prompts(bench.session.checklist.step("go"))]
    signed = await bench.step("go")

    assert asked == ["deployed", "go"]
    assert signed.status is Status.ATTESTED
    assert plan_of(bench).proofs.worker_version == ""


async def test_code_that_changed_since_the_order_was_proved_shuts_the_gate(
    walked: Walked,
) -> None:
    bench = await at_go(walked, Order.DATABASE_FIRST, DATABASE_FIRST)
    assert isinstance(bench.source, Source)
    bench.source.facts = found(Order.SPLIT)

    attempt = await bench.step("go")

    assert attempt.status is Status.FAILED
    assert attempt.words.startswith("Since the order was proved, the code here changed")


async def applied(bench: Bench) -> Attempt:
    await bench.walk("applied")
    return await bench.step("applied")


async def test_a_version_that_changed_since_go_holds_the_apply(walked: Walked) -> None:
    bench = await at_go(walked, Order.DATABASE_FIRST, DATABASE_FIRST)
    await bench.step("go")
    bench.target.running = {NEW: 100}

    held = await applied(bench)
    bench.target.running = {OLD: 100}
    sent = await applied(bench)

    assert held.status is Status.FAILED
    assert held.words.startswith("Stopped, nothing was sent: since GO, workway-api runs version")
    assert sent.status is Status.PROVED
    assert bench.target.commands.count("apply") == 1


async def test_a_version_that_cannot_be_read_holds_the_apply(walked: Walked) -> None:
    bench = await at_go(walked, Order.DATABASE_FIRST, DATABASE_FIRST)
    await bench.step("go")
    bench.target.instead["deployments"] = cut

    held = await applied(bench)

    assert held.words.startswith("Stopped, nothing was sent. The live version")
    assert "apply" not in bench.target.commands


async def test_a_change_that_breaks_no_query_asks_no_version(walked: Walked) -> None:
    bench = await at_go(walked, Order.ANY, NO_WORKER, harmless=True)
    bench.target.calls.clear()

    await bench.walk("worker_deployed")
    attempt = await bench.step("worker_deployed")

    assert attempt.status is Status.PROVED
    assert attempt.words.startswith("No query of the deployed or the new code uses what changes")
    assert "deployments" not in bench.target.commands


AFTER = [
    (Order.DATABASE_FIRST, DATABASE_FIRST, {OLD: 100}, "not deployed everywhere"),
    (Order.DATABASE_FIRST, DATABASE_FIRST, {NEW: 90, OLD: 10}, "not deployed everywhere"),
    (Order.DATABASE_FIRST, DATABASE_FIRST, {NEW: 100}, ""),
    (Order.CODE_FIRST, WORKER_FIRST, {NEW: 100}, ""),
    (Order.CODE_FIRST, WORKER_FIRST, {OLD: 100}, "Another version was deployed since GO"),
    (Order.CODE_FIRST, WORKER_FIRST, {NEW: 90, OLD: 10}, "An old version gets traffic"),
]


@pytest.mark.parametrize(("verdict", "order", "running", "wrong"), sampled(AFTER, 2))
async def test_the_version_after_the_apply_is_the_one_that_the_order_asks_for(
    walked: Walked, verdict: Order, order: str, running: dict[str, int], wrong: str
) -> None:
    bench = await at_go(walked, verdict, order)
    bench.target.running = {NEW: 100} if verdict is Order.CODE_FIRST else {OLD: 100}
    await bench.walk("worker_deployed")
    bench.target.running = running

    attempt = await bench.step("worker_deployed")

    assert attempt.status is (Status.FAILED if wrong else Status.PROVED), attempt.words
    assert wrong in attempt.words
    assert attempt.facts["versions"] == tuple(running)


async def test_without_a_frozen_version_the_running_one_is_unknown(walked: Walked) -> None:
    bench = await walked("running_code", ADDITIVE, "additive")
    bench.target.instead["deployments"] = cut
    await bench.walk("worker_deployed")

    attempt = await bench.step("worker_deployed")

    assert attempt.status is Status.UNKNOWN


# The routes that the change touches.


@pytest.mark.parametrize(
    ("route", "uncalled"),
    [
        ("GET /users/me", False),
        ("GET /users/:id", False),
        ("ANY /me", False),
        ("POST /users/me", True),
        ("GET /users", True),
        ("GET /users/:id/team", True),
    ],
)
def test_a_route_is_called_where_an_endpoint_ends_in_it(route: str, uncalled: bool) -> None:
    endpoints = (Endpoint(url="https://api.example/v1/users/me?x=1"),)

    assert (uncalled_routes((route,), endpoints) == (route,)) is uncalled


async def test_the_routes_of_the_change_are_proposed_where_no_endpoint_is_configured(
    walked: Walked,
) -> None:
    bench = await at_go(walked, Order.ANY, NO_WORKER, harmless=True, routes=("GET /teams/:id",))
    await bench.walk("endpoints")

    attempt = await bench.step("endpoints")

    assert attempt.status is Status.UNKNOWN
    assert attempt.words.endswith("the change touches: GET /teams/:id")
    step = bench.session.checklist.step("endpoints")
    assert bench.session.plan(step) == ("the change touches: GET /teams/:id",)

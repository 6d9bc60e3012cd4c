"""GO signs what the record holds, for as long as the settings say, and nothing before its time."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar, cast

import pytest

from core.record_values import ANA, KEYS, Walk
from d1_preflight.actions.context import StepContext
from d1_preflight.actions.go import go_prompts, plan_to_sign, sign_go
from d1_preflight.actions.preconditions import require_bookmark
from d1_preflight.core.checklist.checklist import Answer, PromptKind
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.format import timestamp
from d1_preflight.core.record.facts import instant, is_absent
from d1_preflight.core.record.file import history_sha256
from d1_preflight.core.record.record import Status
from d1_preflight.core.record.signed_plan import PlannedHistory, SignedPlan
from d1_preflight.core.record.signing import GO as GO_NAMESPACE
from plain.fakes import MemoryStore, ReadySigner
from session.walked import CHECKLIST, opened, ready

if TYPE_CHECKING:
    from d1_preflight.core.record.apply_facts import GoFacts

GO = CHECKLIST.step("go")


class Unready(ReadySigner):
    """A hand without a key until it is prepared."""

    prepared: ClassVar[int] = 0

    @property
    def missing(self) -> tuple[str, ...]:
        return ("make a key", "name it")

    def prepare(self) -> None:
        type(self).prepared += 1


def walked(store: MemoryStore, **steps: Mapping[str, object]) -> Walk:
    """A record with only GO before it, its window waived, its bookmark good for a week."""
    going = ready(store).answer("window", Status.WAIVED)
    until = instant(going.now + timedelta(days=7))
    going.answer("bookmark", facts={"bookmark": "0001-mark", "good_until": until})
    for step, facts in steps.items():
        going.answer(step, facts=facts)  # type: ignore[arg-type]
    return going.answer("way_back", Status.ATTESTED, facts={"chosen": "time travel"})


def context_of(going: Walk, store: MemoryStore, **answers: Answer) -> StepContext:
    context = opened(store, going).context(GO)
    begun = context.record.begin(GO, {}, by=ANA, at=going.now)
    return replace(context, record=begun, answers={"go": True, **answers})


async def test_what_was_proved_is_signed_for_the_minutes_of_the_settings() -> None:
    going = walked(store := MemoryStore())
    context = context_of(going, store)

    outcome = await sign_go(context)

    document, signature = store.held["go.toml"], store.held["go.toml.sig"]
    KEYS.verify(document, signature, GO_NAMESPACE)
    plan, facts = SignedPlan.from_bytes(document), cast("GoFacts", outcome.facts)
    minutes = timedelta(minutes=context.environment.settings.go_minutes)
    assert (plan.decided_at, plan.expires_at) == (going.now, going.now + minutes)
    assert (facts.signed_at, facts.expires_at) == (plan.decided_at, plan.expires_at)
    assert facts.go_sha256 == sha256(document).hexdigest()
    assert facts.signature_sha256 == sha256(signature).hexdigest()
    assert (facts.signer, facts.fingerprint) == (ANA, f"SHA256:{ANA}")
    assert (facts.decision, plan.decision) == ("go", "go")
    assert (facts.checklist, plan.checklist) == (CHECKLIST.sha256, CHECKLIST.sha256)
    assert facts.criteria == plan.criteria
    assert outcome.status is Status.ATTESTED
    assert outcome.words == f"GO by {ANA}, good until {timestamp(going.now + minutes)}."


async def test_the_plan_names_every_answer_before_go_and_what_it_rests_on() -> None:
    store = MemoryStore()
    going = walked(store)
    context = context_of(going, store)

    await sign_go(context)

    plan = SignedPlan.from_bytes(store.held["go.toml"])
    assert [step.id for step in plan.steps] == [step.id for step in CHECKLIST.before("go")]
    by_step = {step.id: step for step in plan.steps}
    assert (by_step["window"].status, by_step["named"].status) == ("waived", "proved")
    assert by_step["named"].words == "seen"
    assert (plan.migration, plan.kind) == (going.record.migration, "destructive")
    assert plan.proofs.bookmark == "0001-mark"
    assert plan.proofs.way_back == "time travel"
    assert plan.subjects.migration == going.record.subjects["migration"]
    assert plan.history == PlannedHistory(
        attempts=len(going.record.attempts), sha256=history_sha256(going.record.attempts)
    )
    proofs = tomllib.loads(store.held["go.toml"].decode())["proofs"]
    assert not {"worker", "worker_version", "deploy_order"} & proofs.keys()


def test_the_version_that_has_to_run_is_signed_with_its_worker() -> None:
    going = walked(store := MemoryStore())
    going.answer("deploy_order", facts={"worker": "shop", "chosen": "code first"})
    context = context_of(going, store)

    frozen = plan_to_sign(context, going.now, going.now, "v2-live").proofs
    without = plan_to_sign(context, going.now, going.now).proofs

    assert (frozen.worker, frozen.worker_version) == ("shop", "v2-live")
    assert is_absent(without.worker)
    assert is_absent(without.worker_version)


@pytest.mark.parametrize(
    ("opened_again", "words"),
    [
        (("purpose",), "1 item open: "),
        (("named", "header", "purpose", "copied"), " items open: "),
    ],
)
async def test_nothing_is_signed_over_an_open_item(
    opened_again: tuple[str, ...], words: str
) -> None:
    going = walked(store := MemoryStore())
    context = context_of(going, store)
    attempts = tuple(
        replace(a, status=Status.UNKNOWN) if a.step in opened_again else a
        for a in context.record.attempts
    )
    context = replace(context, record=replace(context.record, attempts=attempts))

    with pytest.raises(NotAllowed) as refused:
        await sign_go(context)

    assert words in refused.value.message
    titles = [CHECKLIST.step(step).title for step in opened_again]
    assert all(title in refused.value.message for title in titles[:3])
    assert not any(title in refused.value.message for title in titles[3:])
    assert "go.toml" not in store.held


async def test_nothing_is_signed_with_a_bookmark_that_ends_before_the_watch() -> None:
    store = MemoryStore()
    going = walked(store)
    going.answer("bookmark", facts={"bookmark": "b", "good_until": instant(going.now)})
    going.answer("way_back", Status.ATTESTED)

    with pytest.raises(NotAllowed, match="bookmark is good until"):
        await sign_go(context_of(going, store))

    assert "go.toml" not in store.held


def test_a_bookmark_that_was_never_taken_is_the_gates_to_hold() -> None:
    store = MemoryStore()

    require_bookmark(opened(store, ready(store)).context(GO))


async def test_nothing_is_signed_in_a_busy_hour() -> None:
    going = walked(store := MemoryStore()).answer("window")

    with pytest.raises(NotAllowed, match="Now is Monday"):
        await sign_go(context_of(going, store))

    assert "go.toml" not in store.held


async def test_a_key_is_made_by_consent_and_after_all_that_could_refuse() -> None:
    class Counting(Unready):
        """Counts for this test alone."""

    going = walked(store := MemoryStore())
    context = context_of(going, store, prepare=True)
    environment = replace(context.environment, signer=Counting(KEYS, ANA))
    busy = context_of(walked(MemoryStore()).answer("window"), MemoryStore(), prepare=True)

    with pytest.raises(NotAllowed):
        await sign_go(
            replace(busy, environment=replace(busy.environment, signer=Counting(KEYS, ANA)))
        )
    assert Counting.prepared == 0
    await sign_go(replace(context, environment=environment, answers={"go": True}))
    assert Counting.prepared == 0
    await sign_go(replace(context, environment=environment))
    assert Counting.prepared == 1

    prepare, go = go_prompts(replace(context, environment=environment))
    assert (prepare.key, prepare.kind) == ("prepare", PromptKind.CONFIRM)
    assert prepare.label == "First signature: make a key; name it"
    assert (go.key, go.kind) == ("go", PromptKind.CONFIRM)
    assert [prompt.key for prompt in go_prompts(context)] == ["go"]

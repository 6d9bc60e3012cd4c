"""GO: the plan, the proofs and the abort criteria are frozen as bytes and signed."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from hashlib import sha256

from d1_preflight.actions.pending import others_pending
from d1_preflight.actions.tools import Work
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.format import plural
from d1_preflight.core.record import facts as facts_of
from d1_preflight.core.record.facts import lost_rows
from d1_preflight.core.record.file import dump_facts, instant, moment
from d1_preflight.core.record.gate import open_items
from d1_preflight.core.record.record import Facts, Outcome, Status
from d1_preflight.core.record.signing import GO

GO_FILE = "go.toml"
GO_SIGNATURE = "go.toml.sig"


def go_prompts(work: Work) -> Sequence[Prompt]:
    """The one question of the gate; it has no default."""
    name = work.tools.project.database.name
    label = f"GO: I have read the plan for {name}, its losses and the rollback path"
    return (*signer_prompts(work), Prompt("go", PromptKind.CONFIRM, label))


def signer_prompts(work: Work) -> Sequence[Prompt]:
    """What the first signature has to create is asked for, never done silently."""
    missing = work.tools.signer.missing
    if not missing:
        return ()
    return (Prompt("prepare", PromptKind.CONFIRM, f"First signature: {'; '.join(missing)}"),)


def prepare_signer(work: Work) -> None:
    """Make what was agreed to."""
    if work.answers.get("prepare") is True:
        work.tools.signer.prepare()


async def sign_go(work: Work) -> Outcome:
    """Write `go.toml`, sign its exact bytes, verify at once."""
    still_open = open_items(work.record, work.checklist, work.kind)
    if still_open:
        names = ", ".join(item.step.title for item in still_open[:3])
        raise NotAllowed(
            f"{plural(len(still_open), 'item')} open: {names}.", hint="Answer them first."
        )
    require_bookmark(work)
    tools = work.tools
    prepare_signer(work)
    now = tools.clock.now()
    expires = now + timedelta(minutes=tools.settings.go_minutes)
    document = dump_facts(go_document(work, instant(now), instant(expires)))
    with work.terminal:
        signature = tools.signer.sign(document, GO)
    facts: Facts = {
        "decision": "go",
        "go_sha256": tools.store.write(GO_FILE, document),
        "signature_sha256": tools.store.write(GO_SIGNATURE, signature),
        "signer": tools.signer.identity,
        "fingerprint": tools.signer.fingerprint,
        "signed_at": instant(now),
        "expires_at": instant(expires),
        "criteria": abort_criteria(work),
        "checklist": work.record.checklist,
    }
    words = f"GO by {tools.signer.identity}, good until {instant(expires)}."
    return Outcome(Status.ATTESTED, words, facts)


def require_bookmark(work: Work) -> None:
    """Time Travel, the rollback path that always exists, must outlast the watch."""
    until = facts_of.text(work.facts_of("bookmark"), "good_until")
    watch = timedelta(minutes=work.tools.settings.verification.watch_minutes)
    if until and moment(until) < work.tools.clock.now() + watch:
        raise NotAllowed(
            f"The Time Travel bookmark is good until {until}: too old to restore.",
            hint="Capture a new one (3 Data safety, bookmark), and make a new backup with it.",
        )


def go_document(work: Work, decided_at: str, expires_at: str) -> Mapping[str, object]:
    """What is signed: which bytes go where, on what proofs, and when to abort."""
    tools, record, before = work.tools, work.record, work.checklist.before("go")
    steps = [
        {"id": step.id, "status": attempt.status.value, "words": attempt.words}
        for step in work.checklist.steps_for(work.kind)
        if step in before and (attempt := record.standing(step))
    ]
    return {
        "schema": 1,
        "decision": "go",
        "decided_by": tools.signer.identity,
        "decided_at": decided_at,
        "expires_at": expires_at,
        "migration": record.migration,
        "class": work.kind.value,
        "checklist": record.checklist,
        "rows_at_risk": rows_at_risk(work),
        "subjects": dict(sorted(record.subjects.items())),
        "database": {
            "name": record.database.name,
            "id": record.database.id,
            "environment": record.database.environment,
            "target": record.database.target,
        },
        "tools": dict(sorted(record.tools.items())),
        "proofs": proofs(work),
        "criteria": abort_criteria(work),
        "step": steps,
    }


def proofs(work: Work) -> Facts:
    """The figures the decision rests on, each from the step that measured it."""
    copied, rehearsed = work.facts_of("copied"), work.facts_of("rehearsed")
    bookmark, backup = work.facts_of("bookmark"), work.facts_of("backed_up")
    way_back = work.facts_of("way_back")
    found: dict[str, object] = {
        "schema_before": copied.get("schema"),
        "schema_rehearsed": rehearsed.get("schema_after"),
        "ledger_rows": copied.get("ledger_rows"),
        "predicted_ms": rehearsed.get("predicted_ms"),
        "bookmark": bookmark.get("bookmark"),
        "bookmark_good_until": bookmark.get("good_until"),
        "way_back": way_back.get("chosen"),
        "backup": backup.get("tables"),
        "other_pending": others_pending(work),
        "out_of_order": work.facts_of("deploy_order").get("out_of_order"),
    }
    return {key: value for key, value in found.items() if value is not None}  # type: ignore[misc]  # they came out of facts


def abort_criteria(work: Work) -> Facts:
    """The abort limits, fixed before the apply."""
    verification = work.tools.settings.verification
    return {
        "error_rate_percent": str(verification.error_rate_percent),
        "watch_minutes": verification.watch_minutes,
        "endpoints": tuple(f"{e.method} {e.url} {e.expect}" for e in verification.endpoints),
        "rows": "every table's count as rehearsed",
        "schema": "equal to the rehearsed one",
    }


def rows_at_risk(work: Work) -> int:
    """How many rows the rehearsal lost: the number that is typed before the apply."""
    return lost_rows(work.facts_of("rehearsed"))


def go_still_holds(work: Work) -> bool:
    """Whether the signed bytes on disk are those the record names."""
    document = work.tools.store.read(GO_FILE)
    signature = work.tools.store.read(GO_SIGNATURE)
    facts = work.facts_of("go")
    if document is None or signature is None:
        return False
    hashes = (sha256(document).hexdigest(), sha256(signature).hexdigest())
    if hashes != (facts.get("go_sha256"), facts.get("signature_sha256")):
        return False
    return work.tools.signer.is_good(document, signature, GO)

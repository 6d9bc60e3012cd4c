"""Apply: read everything again, apply exactly this migration, and observe what happened.

The exit code proves nothing (0 with a failure and 1 after a commit were both shown by runs): the
ledger and the schema, read afterwards, do.
"""

from collections.abc import Mapping, Sequence

from d1_preflight.actions.going import GO_FILE, abort_criteria, go_still_holds, rows_at_risk
from d1_preflight.actions.pending import pending_names
from d1_preflight.actions.remote import observe, shown
from d1_preflight.actions.safety import opened_copy
from d1_preflight.actions.tools import Tools, Work
from d1_preflight.core import facts
from d1_preflight.core.checklist import Prompt, PromptKind
from d1_preflight.core.errors import NotAllowed, PreflightError
from d1_preflight.core.observation import LedgerRow, Observation
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record import Fact, Facts, Outcome, Status
from d1_preflight.core.record_file import load_facts
from d1_preflight.core.replies import explain_failure
from d1_preflight.core.review import go_review, second_person_kinds


def apply_prompts(work: Work) -> Sequence[Prompt]:
    """Challenge and response: the target and the rows at risk, typed; never yes or no."""
    if _must_observe_first(work):
        return ()
    name, risk = work.tools.project.database.name, rows_at_risk(work)
    return (
        Prompt("database", PromptKind.TEXT, f"Type the database's name: {name}", typed=name),
        Prompt("rows", PromptKind.TEXT, f"Type the rows at risk: {risk}", typed=str(risk)),
    )


def apply_plan(work: Work) -> Sequence[str]:
    """What will be run, with its target."""
    tools = work.tools
    if _must_observe_first(work):
        return (f"read ledger and schema of {tools.project.database.name}; write nothing",)
    return (
        f"read ledger, schema and counts of {tools.project.database.name} again",
        shown(tools, _apply_args(tools, "<staged>/wrangler.json")),
        "read the ledger again",
    )


async def apply_migration(work: Work) -> Outcome:
    """Apply it, or find out what an interrupted apply has done."""
    if _must_observe_first(work):
        return await _observe_only(work)
    tools = work.tools
    before, evidence = await _recheck(work)
    staged = tools.files.stage(tools.migration(), tools.workspace / "apply")
    ran = await tools.wrangler.run(
        _apply_args(tools, str(staged)),
        cwd=staged.parent,
        emit=work.emit,
        keep=work.evidence_name,
        protect=True,
    )
    return await _conclude(work, before, evidence, ran)


def _apply_args(tools: Tools, config: str) -> tuple[str, ...]:
    name = tools.project.database.name
    return ("d1", "migrations", "apply", name, "--config", config, "--remote")


def _must_observe_first(work: Work) -> bool:
    """After an apply whose end nobody saw, nothing is repeated before it was looked at."""
    last = work.before
    return last is not None and last.status in (Status.INTERRUPTED, Status.UNKNOWN)


async def _recheck(work: Work) -> tuple[Observation, tuple[Evidence, ...]]:
    """Hold everything GO rested on against the present; any change goes back to the gate."""
    tools = work.tools
    if not go_still_holds(work):
        raise NotAllowed("go.toml or its signature is not what was signed.", hint="Sign GO again.")
    require_second_person(work)
    require_signed_criteria(work)
    for entry in facts.rows(work.facts_of("backed_up"), "tables"):
        opened_copy(tools, entry)  # a backup that is gone or changed is no way back
    copied, counted = work.facts_of("copied"), work.facts_of("counted")
    rows = counted.get("tables", ())
    tables = [str(r["table"]) for r in rows if isinstance(r, Mapping)] if rows else []  # type: ignore[union-attr]  # a tuple of tables
    try:
        look = await observe(
            tools, tables=tables, keep=f"{work.evidence_name}-recheck", emit=work.emit
        )
    except PreflightError as error:
        # Nothing was sent yet, so this attempt may be repeated without an observation.
        raise NotAllowed(
            f"The target could not be read again: {error.message}",
            hint=f"Nothing was applied. {error.hint}",
        ) from error
    now = look.observation
    if tools.name in now.applied:
        raise NotAllowed(f"{tools.name} is already in the ledger.", hint="Nothing was applied.")
    changed = _changes(work, copied, now)
    if changed:
        raise NotAllowed(
            f"Since the rehearsal, {' and '.join(changed)} changed.",
            hint="Nothing was applied. Copy and rehearse again, then sign GO.",
        )
    return now, look.evidence


def require_second_person(work: Work) -> None:
    """Where the team's policy asks for it, a second person has approved exactly this GO."""
    tools = work.tools
    if work.kind not in second_person_kinds(tools.settings.signing.second_person):
        return
    if go_review(tools.store.files(), work.record, tools.signer) is None:
        raise NotAllowed(
            "GO waits for a second person; the team's policy asks for one.",
            hint=f"They run, in their checkout: preflight review --go {tools.stem}",
        )


def require_signed_criteria(work: Work) -> None:
    """The limits in the settings are still those that were signed."""
    if abort_criteria(work) != facts.group(work.facts_of("go"), "criteria"):
        raise NotAllowed(
            "The abort criteria in preflight.toml are not those that were signed.",
            hint="Nothing was applied. Put them back, or sign GO again.",
        )


def _changes(work: Work, copied: Facts, now: Observation) -> list[str]:
    found = []
    signed_go = load_facts(work.tools.store.read(GO_FILE) or b"", GO_FILE)
    if facts.group(signed_go, "subjects").get("config") != work.tools.files.config_sha256():
        found.append("the configuration")
    if now.schema.fingerprint != copied.get("schema"):
        found.append("the schema of the target")
    if facts.text(facts.group(signed_go, "tools"), "wrangler") != work.tools.versions.get(
        "wrangler"
    ):
        found.append("wrangler's version")
    found += [f"the rows of {table}, which may be lost," for table in moved_at_risk(work, now)]
    if pending_names(work.tools, now) != facts.words(copied, "pending"):
        found.append("the set of pending migrations")
    last = now.ledger[-1].name if now.ledger else ""
    if (len(now.ledger), last) != (copied.get("ledger_rows"), copied.get("last_applied")):
        found.append("the ledger (somebody applied a migration)")
    return found


def moved_at_risk(work: Work, now: Observation) -> tuple[str, ...]:
    """The tables that lose something whose count is no longer the one that was told."""
    told = {
        facts.text(row, "table"): facts.number(row, "rows")
        for row in facts.rows(work.facts_of("copied"), "tables")
    }
    losing = set(facts.words(work.facts_of("findings"), "declared_losses"))
    for row in facts.rows(work.facts_of("rehearsed"), "tables"):
        if facts.number(row, "lost") or facts.number(row, "nulled"):
            losing.add(facts.text(row, "table"))
    return tuple(t for t in sorted(losing & told.keys()) if now.counts.get(t) != told[t])


async def _conclude(
    work: Work, before: Observation, rechecked: tuple[Evidence, ...], ran: Evidence
) -> Outcome:
    """Decide by what the database says now."""
    tools, evidence = work.tools, (*rechecked, ran)
    try:
        look = await observe(tools, keep=f"{work.evidence_name}-observed", emit=work.emit)
    except PreflightError as error:
        words = f"The apply ran, but its result could not be read: {error.message}"
        return Outcome(Status.UNKNOWN, f"{words} Observe before anything else.", {}, evidence)
    facts = _facts(ran, before)
    after = look.observation
    row = after.ledger_row(tools.name)
    everything = (*evidence, *look.evidence)
    if row is not None:
        return _applied(row, facts, ran, everything)
    reason = explain_failure(ran).message if ran.exit_code else "wrangler reported no error"
    if after.schema.fingerprint == before.schema.fingerprint:
        words = f"Not applied: {reason} Ledger and schema are as before."
        return Outcome(Status.FAILED, words, facts, everything)
    words = f"Half-way: {reason} The ledger has no row, but the schema changed. Press ! for help."
    return Outcome(Status.FAILED, words, facts | {"half_way": True}, everything)


async def _observe_only(work: Work) -> Outcome:
    tools = work.tools
    if tools.wrangler.is_writing():
        words = "The apply that was left is still at work on this machine. Look again in a moment."
        return Outcome(Status.UNKNOWN, words)
    left = tools.wrangler.recover(work.step.id)
    look = await observe(tools, keep=f"{work.evidence_name}-observed", emit=work.emit)
    after, seen = look.observation, (*left, *look.evidence)
    row = after.ledger_row(tools.name)
    if row is not None:
        return _applied(row, {"observed": True}, None, seen)
    if after.schema.fingerprint == work.facts_of("copied").get("schema"):
        words = (
            "Looked: it was not applied; ledger and schema are as before. It may be tried again."
        )
        return Outcome(Status.FAILED, words, {"observed": True}, seen)
    words = "Looked: the ledger has no row, but the schema is not as before. Press ! for help."
    return Outcome(Status.FAILED, words, {"observed": True, "half_way": True}, seen)


def _applied(
    row: LedgerRow, facts: Facts, ran: Evidence | None, evidence: tuple[Evidence, ...]
) -> Outcome:
    words = f"Applied: ledger row {row.id} at {row.applied_at} UTC."
    if ran is not None and ran.exit_code != 0:
        words += " Wrangler reported a failure, but the ledger holds the row."
    more: Facts = {"ledger_id": row.id, "applied_at": row.applied_at}
    return Outcome(Status.PROVED, words, {**facts, **more}, evidence)


def _facts(ran: Evidence, before: Observation) -> dict[str, Fact]:
    return {
        "ms": ran.milliseconds,
        "exit_code": -1 if ran.exit_code is None else ran.exit_code,
        "rechecked": (
            "file",
            "configuration",
            "pending",
            "schema",
            "ledger",
            "backup",
            "GO signature",
        ),
        "counts_before": tuple(
            {"table": table, "rows": rows} for table, rows in before.counts.items()
        ),
    }

"""Section 4: the rollback path, written and tested before it is needed."""

import asyncio
from collections.abc import Mapping, Sequence
from hashlib import sha256

from d1_preflight.actions.folders import copy_folder, down_folder, rehearsal_folder
from d1_preflight.actions.pending import passed_by
from d1_preflight.actions.rehearsal import account_facts, compare_states, run_local_file
from d1_preflight.actions.remote import (
    call_target,
    config_flags,
    first_object,
    own_command,
    relative,
    shown,
    target_flags,
)
from d1_preflight.actions.tools import Tools, Work
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.findings import Kind
from d1_preflight.core.format import noun_for, plural
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.record.facts import flag, group, text
from d1_preflight.core.record.record import Fact, Facts, Outcome, Status
from d1_preflight.core.recovery.down import Draft, draft_down
from d1_preflight.core.rows.row_diff import Account
from d1_preflight.core.schema.schema import diff
from d1_preflight.core.target.wrangler_output import explain_failure

DRAFT, NONE = "write the draft to that file", "there is no down migration; restore from backup"

_HARM = ("table restore", "down migration", "time travel")

# The source document's matrix, with its contradiction mended: code first, then the database.
_MATRIX: Mapping[Kind, tuple[tuple[str, str], ...]] = {
    Kind.ADDITIVE: (
        ("no issues", "no rollback needed"),
        ("causes errors", "roll back the code first, then decide on the migration"),
    ),
    Kind.TRANSFORMATIVE: (
        ("no issues", "no rollback needed"),
        ("causes errors", "roll back the code first, then apply the down migration"),
    ),
    Kind.DESTRUCTIVE: (
        ("success", "the dropped data is gone by design; it stays in the backup"),
        ("wrong data deleted", "roll back the code, then restore the tables from the backup"),
        ("several tables damaged", "Time Travel to the bookmark; every later write is lost"),
    ),
}


def down_prompts(work: Work) -> Sequence[Prompt]:
    """Asked only where there is no down migration yet; the help shows the draft."""
    if work.tools.files.down(work.tools.stem) is not None:
        return ()
    draft = _draft(work)
    gaps = "".join(f"\n-- not restored: {gap}" for gap in draft.gaps)
    label = f"No down migration at {_down_name(work.tools)}. "
    blank = _is_blank(work.tools, draft)
    label += "No statement undoes it; why is below" if blank else "The draft is below"
    choices = (NONE,) if blank else (DRAFT, NONE)
    return (Prompt("down", PromptKind.CHOOSE, label, help=f"{draft.sql}{gaps}", choices=choices),)


async def write_down(work: Work) -> Outcome:
    """The down migration is there, or is written from the draft, or its absence is said."""
    tools = work.tools
    found = tools.files.down(tools.stem)
    if found is not None:
        facts: Facts = {"file": _down_name(tools), "source": "found"}
        return Outcome(Status.PROVED, f"{_down_name(tools)} exists.", facts)
    draft = _draft(work)
    gaps = tuple(draft.gaps)
    if work.answer("down") == NONE:
        facts = {"source": "none", "lossless": False, "gaps": gaps}
        return Outcome(
            Status.ATTESTED, "No down migration: the rollback path is the backup.", facts
        )
    if _is_blank(tools, draft):
        words = "The draft no longer holds a statement. Check it, then choose again."
        return Outcome(Status.FAILED, words, {"source": "none", "gaps": gaps})
    path = tools.files.write_down(tools.stem, draft.sql)
    read = tools.files.down(tools.stem)
    written = sha256(draft.sql.encode()).hexdigest()
    if read is None or read.sha256 != written:
        words = f"{relative(tools, path)} differs from what was written. Check it, then try again."
        return Outcome(Status.FAILED, words, {"file": relative(tools, path)})
    facts = {
        "file": relative(tools, path), "source": "drafted", "lossless": draft.lossless,
        "gaps": gaps,
    }  # fmt: skip
    words = f"Written to {relative(tools, path)}. Read it; e edits it."
    return Outcome(Status.PROVED, words, facts, wrote={"down": written})


async def test_down(work: Work) -> Outcome:
    """Up, down, compare: what the down migration gives back, table by table."""
    tools = work.tools
    down = tools.files.down(tools.stem)
    if down is None:
        words = "There is no down migration to test; the backup was restored as proof instead."
        return Outcome(Status.PROVED, words, {"verdict": "no down migration"})
    before, after = copy_folder(tools), down_folder(tools)
    await asyncio.to_thread(tools.local.duplicate, rehearsal_folder(tools), after)
    # Nothing of it is kept: a SELECT in the script would print the target's rows.
    ran = await run_local_file(work, down, after, keep=None)
    if ran.exit_code != 0:
        words = f"The down migration does not run: {work.own_reason(ran, down)}"
        return Outcome(Status.FAILED, words, {"verdict": "does not run"}, (ran,))
    changes = diff(tools.local.schema(before), tools.local.schema(after))
    account = await asyncio.to_thread(compare_states, tools, before, after)
    facts = _down_facts(account, tuple(change.words for change in changes), ran.milliseconds)
    return Outcome(_down_status(facts), str(facts["verdict"]), facts, (ran,))


async def check_rollback_header(work: Work) -> Outcome:
    """The header says how to roll back."""
    rollback = work.tools.migration().header.rollback
    if rollback:
        return Outcome(Status.PROVED, f"Rollback: {rollback}", {"rollback": rollback})
    words = "The header has no “-- Rollback:” line. Press e and add it."
    return Outcome(Status.FAILED, words, {"rollback": ""})


def way_back_prompts(work: Work) -> Sequence[Prompt]:
    """The rollback paths that exist, with what each loses."""
    ways = ways_back(work)
    losses = "\n".join(f"{w['way']}: loses {w['loses']}" for w in ways)
    choices = tuple(str(way["way"]) for way in ways)
    label = "If it goes wrong, which rollback path is used first?"
    return (Prompt("way", PromptKind.CHOOSE, label, help=losses, choices=choices),)


async def choose_way_back(work: Work) -> Outcome:
    """The operator decides, with the figures in front of them."""
    ways = ways_back(work)
    chosen = next(way for way in ways if way["way"] == work.answer("way"))
    kind = work.kind if work.kind in _MATRIX else Kind.DESTRUCTIVE
    matrix = tuple({"scenario": s, "action": a} for s, a in _MATRIX[kind])
    facts: Facts = {"ways": ways, "chosen": str(chosen["way"]), "matrix": matrix}
    return Outcome(Status.ATTESTED, f"{chosen['way']}; loses {chosen['loses']}.", facts)


def ways_back(work: Work) -> tuple[Mapping[str, Fact], ...]:
    """Down migration, table restore, Time Travel: only those that were proved or captured."""
    name, found = work.tools.project.database.name, list[Mapping[str, Fact]]()
    down, restored = work.facts_of("down_tested"), work.facts_of("restored")
    bookmark = work.facts_of("bookmark").get("bookmark", "")
    if work.kind in (Kind.ADDITIVE, Kind.NONE):
        found.append({"way": "leave it", "command": "", "takes_ms": 0, "loses": "nothing"})
    if down.get("schema") == "restored":
        loses = str(down.get("loses", "not known"))
        words = ("d1", "execute", name, *target_flags(work.tools))
        command = shown(work.tools, (*words, f"--file={_down_name(work.tools)}"))
        found.append(
            {"way": "down migration", "command": command, "takes_ms": down.get("ms", 0),
             "loses": loses}
        )  # fmt: skip
    gives = group(restored, "gives_back")
    if flag(gives, "runs"):
        command = own_command(work.tools, "restore", work.tools.stem)
        loses = "later writes to the rows it restores"
        if not flag(gives, "whole"):
            loses += f"; not restored: {text(gives, 'words')}"
        found.append(
            {"way": "table restore", "command": command, "takes_ms": gives.get("ms", 0),
             "loses": loses}
        )  # fmt: skip
    words = ("d1", "time-travel", "restore", name, *config_flags(work.tools))
    command = shown(work.tools, (*words, "--bookmark", str(bookmark)))
    found.append({"way": "time travel", "command": command, "loses": "every write since"})
    return tuple(sorted(found, key=_harm))


def _harm(way: Mapping[str, Fact]) -> int:
    """What loses nothing comes first; what undoes every later write, last."""
    return -1 if way["loses"] == "nothing" else _HARM.index(str(way["way"]))


async def choose_deploy_order(work: Work) -> Outcome:
    """The order, and which version of the Worker is live now: the one to go back to."""
    tools, order = work.tools, work.answer("order")
    worker = tools.settings.verification.worker or tools.project.config.name
    facts: dict[str, Fact] = {"order": order, "worker": worker}
    if work.answer("out_of_order"):
        facts["out_of_order"] = f"{', '.join(passed_by(work))}: {work.answer('out_of_order')}"
    if not worker:
        return Outcome(Status.ATTESTED, f"{order}.", facts)
    ran = await call_target(
        tools, deployments_args(tools, worker), emit=work.emit, keep=work.evidence_name, timeout=120
    )
    if ran.exit_code != 0:
        words = (
            f"{order}. The live version of {worker} is not known: {explain_failure(ran).message}"
        )
        return Outcome(Status.ATTESTED, words, facts, (ran,))
    version = live_version(first_object(ran.stdout))
    words = f"{order}; {worker} runs version {version[:8] or 'unknown'} now."
    return Outcome(Status.ATTESTED, words, facts | {"version": version}, (ran,))


def deployments_args(tools: Tools, worker: str) -> tuple[str, ...]:
    """The argv that asks for the deployment that is live now."""
    return ("deployments", "status", "--name", worker, *config_flags(tools), "--json")


def deploy_plan(work: Work) -> Sequence[str]:
    """The command, with its target."""
    worker = work.tools.settings.verification.worker or work.tools.project.config.name
    return (shown(work.tools, deployments_args(work.tools, worker)),) if worker else ()


def live_version(deployment: Mapping[str, object]) -> str:
    """The version that gets most of the traffic; "" where it is not known."""
    versions = deployment.get("versions")
    if not isinstance(versions, list) or not versions:
        return ""
    known = [v for v in versions if isinstance(v, dict) and "version_id" in v]
    most = max(known, key=lambda v: float(v.get("percentage", 0)), default={})
    return str(most.get("version_id", ""))


def _down_name(tools: Tools) -> str:
    return f"{tools.project.database.migrations_dir}/down/{tools.stem}.sql"


def _is_blank(tools: Tools, draft: Draft) -> bool:
    """Whether the draft would be read as no down migration at all: comments are none."""
    return Migration.from_text(tools.name, draft.sql).is_blank


def _draft(work: Work) -> Draft:
    tools = work.tools
    rehearsed = rehearsal_folder(tools)
    if not tools.local.file(rehearsed).is_file():
        raise NotAllowed("The draft needs the rehearsal.", hint="Rehearse the migration first.")
    return draft_down(tools.migration(), tools.local.schema(copy_folder(tools)),
                      tools.local.schema(rehearsed))  # fmt: skip


def _down_facts(account: Account, changes: Sequence[str], ms: int) -> dict[str, Fact]:
    rows = account_facts(account)
    lost = sum(int(str(row["lost"])) for row in rows)
    differing = sum(int(str(row["changed"])) for row in rows)
    schema = "differs" if changes else "restored"
    data = "lost" if lost else "differs" if differing else "restored"
    stay, differ = noun_for(lost, "stays", "stay"), noun_for(differing, "differs", "differ")
    words = {
        "restored": "every row as before",
        "lost": f"{plural(lost, 'row')} {stay} lost",
        "differs": f"{plural(differing, 'row')} {differ} from before",
    }
    verdict = f"schema {schema}, {words[data]}"
    if changes:
        verdict += f": {changes[0]}"
    return {
        "schema": schema, "data": data, "rows_lost": lost, "ms": ms, "verdict": verdict,
        "loses": {"restored": "nothing", "lost": plural(lost, "row"),
                  "differs": f"values in {plural(differing, 'row')}"}[data],
        "differences": tuple(changes), "tables": rows,
    }  # fmt: skip


def _down_status(facts: Mapping[str, Fact]) -> Status:
    """Rows that it does not restore are reported; another schema is a failure."""
    return Status.PROVED if facts["schema"] == "restored" else Status.FAILED

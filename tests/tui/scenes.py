"""The scenes the tests and the screenshots are made of: one migration, at every place."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path

from d1_preflight.board import BoardHeader, BoardRow, BoardState, Remote
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.findings import (
    Analysis,
    Effects,
    Finding,
    Kind,
    Reason,
    Risk,
    Severity,
)
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.record.facts import Fact, Facts, StepFacts
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.remedies.fix import Answer, Fix
from d1_preflight.core.remedies.proof import Proof
from tui.fakes import FakeBoard, FakeSession, SceneFiles, scene_tools

DATABASE = "marketplace-production"
REBUILD = "0061_rebuild_teams_remove_deprecated.sql"

BILLING = "0057_add_team_billing_columns.sql"

REBUILD_SQL = """\
-- Migration: 0061_rebuild_teams_remove_deprecated
-- Description: Rebuild teams without deprecated_column
-- Type: Destructive
-- Rollback: Restore from backup (manual)
-- CRITICAL: Backup required before applying
-- ============================================================================

-- Step 1: Create new table with desired schema
CREATE TABLE teams_new (
  id TEXT PRIMARY KEY,
  domain TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  owner_id TEXT NOT NULL REFERENCES users(id),
  created_at INTEGER DEFAULT (unixepoch())
  -- NOTE: deprecated_column is NOT included
);

-- Step 2: Copy data (map old columns to new)
INSERT INTO teams_new (id, domain, name, owner_id, created_at)
SELECT id, domain, name, owner_id, created_at FROM teams;

-- Step 3: Drop old table
DROP TABLE teams;

-- Step 4: Rename new table
ALTER TABLE teams_new RENAME TO teams;

-- Step 5: Recreate indexes
CREATE INDEX idx_teams_domain ON teams(domain);
"""

DOWN_SQL = """\
ALTER TABLE teams ADD COLUMN deprecated_column TEXT;
CREATE INDEX idx_teams_stripe ON teams(stripe_customer_id);
"""

CASCADE = Finding(
    rule="cascade-delete",
    severity=Severity.BLOCKING,
    line=23,
    column=1,
    title="Dropping teams deletes rows of team_members",
    message=(
        "team_members.team_id REFERENCES teams ON DELETE CASCADE. D1 keeps foreign keys on; "
        "PRAGMA foreign_keys=OFF does nothing."
    ),
    instead=(
        "ALTER TABLE teams DROP COLUMN deprecated_column;",
        "or rebuild team_members together with it, children dropped first.",
    ),
    tables=("team_members",),
    end_line=23,
    end_column=18,
    rows_at_risk=True,
)
FORGOTTEN = Finding(
    rule="rebuild-forgets",
    severity=Severity.WARNING,
    line=9,
    column=1,
    title="The new teams lacks index idx_teams_stripe",
    message="A rebuild keeps nothing by itself: idx_teams_stripe is not made again.",
    instead=("CREATE INDEX idx_teams_stripe ON teams(stripe_customer_id);",),
    end_line=9,
    end_column=23,
)

IN_PLACE = (
    REBUILD_SQL[: REBUILD_SQL.index("CREATE TABLE")]
    + """\
DROP INDEX "idx_teams_stripe";
ALTER TABLE "teams" DROP COLUMN "deprecated_column";
"""
)
REWRITE = Fix(
    REBUILD_SQL,
    IN_PLACE,
    (Answer(CASCADE, what="changes teams in place: nothing is dropped"),),
    (Answer(FORGOTTEN, reason="Only the author knows which index may go."),),
    Proof("", (), "rows in every table, NULL wherever it is allowed; and on empty tables"),
)
"""The safe way for the rebuild, proved."""

REBUILD_ANALYSIS = Analysis(
    kind=Kind.DESTRUCTIVE,
    risk=Risk.HIGH,
    rollback="irreversible",
    reasons=(
        Reason("deletes every row of team_members by cascade", 23),
        Reason("drops column teams.deprecated_column", 9),
    ),
    effects=Effects(rows_deleted_in=("team_members",), tables_rebuilt=("teams",)),
    findings=(FORGOTTEN, CASCADE),
)

_COUNTS = (("teams", 112), ("team_members", 1_204), ("users", 4_310), ("workflow_runs", 41_830),
           ("audit_logs", 13_702), ("api_keys", 36), ("invitations", 10))  # fmt: skip
ROWS = sum(rows for _, rows in _COUNTS)


def _tables(lost: int) -> tuple[Facts, ...]:
    special: dict[str, Facts] = {
        "team_members": {
            "after": 1_204 - lost,
            "lost": lost,
            "verdict": "by cascade from line 23" if lost else "kept aside and put back",
            "ok": not lost,
        },
        "teams": {"changed": 112, "verdict": "column dropped, as declared"},
    }
    return tuple(_same(table, rows) | dict(special.get(table, {})) for table, rows in _COUNTS)


def _same(table: str, rows: int) -> dict[str, Fact]:
    return {
        "table": table, "before": rows, "after": rows, "lost": 0, "nulled": 0, "changed": 0,
        "added": 0, "verdict": "", "ok": True,
    }  # fmt: skip


def _rehearsed(lost: int) -> Facts:
    return {
        "tables": _tables(lost),
        "schema": (
            {"change": "removed", "object": "column", "name": "teams.deprecated_column",
             "words": "column teams.deprecated_column is gone", "declared": True},
            {"change": "removed", "object": "index", "name": "idx_teams_stripe",
             "words": "index idx_teams_stripe is gone", "declared": False},
        ),
        "wrangler_ms": 2_812, "sql_ms": 14, "predicted_ms": 940, "rows": ROWS,
        "downtime": "Queries wait under 1 s while it runs.",
    }  # fmt: skip


def to_declare() -> Outcome:
    """The rehearsal that lost rows by cascade, which somebody has yet to declare."""
    asked: Mapping[Fact, Facts] = {
        "team_members": {"after": 0, "lost": 1_204, "undeclared": True,
                         "verdict": "by cascade from line 23, to be declared"},
        "teams": {"undeclared": True, "verdict": "column dropped, to be declared"},
    }  # fmt: skip
    tables = tuple({**t, **asked.get(t["table"], {})} for t in _tables(0))
    words = f"{ROWS:,} rows: 1,204 lost, to be declared."
    facts = StepFacts.read({**_rehearsed(0), "tables": tables})
    return Outcome(Status.PROVED, words, facts)


REHEARSED_BAD = Outcome(
    Status.FAILED,
    f"Rehearsed on a copy of the target ({ROWS:,} rows): 1,204 rows lost, not declared.",
    StepFacts.read(_rehearsed(1_204)),
)

_HOURS = tuple(
    " ".join(
        str((40 if hour < 7 or hour > 21 else 2_400 - abs(hour - 14) * 180) // quiet)
        for hour in range(24)
    )
    for quiet in (1, 1, 1, 1, 1, 4, 4)
)
_BACKED_UP: tuple[Facts, ...] = tuple(
    {"table": t, "rows": n, "bytes": n * 84, "sha256": f"{n * 7919:08x}" * 8, "file": f"{t}.sql"}
    for t, n in _COUNTS
)
BOOKMARK = "00000085-0000024c-00004c6d-8e61117bf38d7adb71b934ebbf891683"


def outcomes(lost: int = 0) -> Mapping[str, Outcome]:
    """What each step of the walk finds."""

    def proved(words: str, facts: Facts | None = None) -> Outcome:
        return Outcome(Status.PROVED, words, StepFacts.read(facts or {}))

    def attested(words: str, facts: Facts | None = None) -> Outcome:
        return Outcome(Status.ATTESTED, words, StepFacts.read(facts or {}))

    return {
        "named": proved(f"{REBUILD}: four digits and a description."),
        "header": proved("Complete; declared destructive, found destructive."),
        "findings": attested("Answered (1 blocking, 1 warning); rows of team_members are kept."),
        "class": proved("Destructive, high risk: deletes every row of team_members (line 23)",
                        {"class": "destructive", "risk": "high", "rollback": "irreversible"}),
        "purpose": attested("Teams load faster; nobody reads the column since October."),
        "copied": proved(f"{ROWS:,} rows of 7 tables copied, 9.4 MB.", {
            "tables": tuple({"table": t, "rows": n, "bytes": n * 84} for t, n in _COUNTS),
            "rows": ROWS, "bytes": 9_400_000, "taken_at": "2026-11-22T19:04:00Z",
            "read_ms": 3_120,
        }),
        "syntax": proved("D1's engine accepts 5 statements.", {"statements": 5}),
        "rehearsed": REHEARSED_BAD if lost else proved(
            f"Rehearsed on {ROWS:,} rows: no row is lost.", _rehearsed(0)),
        "losses": attested("Declared: teams: the values of deprecated_column in all 112 rows."),
        "counted": proved(f"7 tables, {ROWS:,} rows.", {
            "tables": tuple({"table": t, "rows": n} for t, n in _COUNTS), "rows": ROWS,
            "taken_at": "2026-11-22T19:04:30Z",
        }),
        "backed_up": proved(f"7 tables, {ROWS:,} rows, 9.4 MB, in 12.2 s.", {
            "tables": _BACKED_UP, "rows": ROWS, "bytes": 9_400_000, "ms": 12_200,
            "export": {"file": "export.sql", "bytes": 11_020_114, "sha256": "77ab" * 15 + "0001"},
        }),
        "restored": proved("Restored for proof: 7 tables are identical.", {
            "tables": tuple({"table": t, "rows": n, "identical": True, "words": ""}
                            for t, n in _COUNTS),
            "export_loads": True, "export_words": "", "ms": 4_100,
        }),
        "bookmark": proved("Bookmark 00000085-…, good until 22 December.", {
            "bookmark": BOOKMARK, "taken_at": "2026-11-22T19:05:02Z",
            "good_until": "2026-12-22T19:05:02Z",
        }),
        "down_written": proved("The down file is there.", {
            "file": "migrations/down/0061_rebuild_teams_remove_deprecated.sql",
            "source": "drafted", "lossless": False,
            "gaps": ("the values of deprecated_column are not restored",),
        }),
        "down_tested": proved("Down restores the schema, not the column's values.", {
            "schema": "restored", "data": "lost", "rows_lost": 1_204, "ms": 900,
            "tables": _tables(1_204),
        }),
        "documented": proved("The header says: Restore from backup (manual)."),
        "way_back": attested("Table restore, 41 s, loses writes to 2 tables since 14:05.", {
            "chosen": "table restore",
            "ways": (
                {"way": "down migration", "takes_ms": 900, "loses": "1,204 rows",
                 "command": "wrangler d1 execute marketplace-production --remote --file=…"},
                {"way": "table restore", "takes_ms": 41_000,
                 "loses": "later writes to 2 tables",
                 "command": "preflight restore 0061"},
                {"way": "time travel", "takes_ms": 20_000, "loses": "all later writes",
                 "command": f"wrangler d1 time-travel restore {DATABASE} --bookmark {BOOKMARK}"},
            ),
            "matrix": (
                {"scenario": "success", "action": "cannot be rolled back, by design"},
                {"scenario": "wrong data deleted", "action": "restore from backup"},
            ),
        }),
        "running_code": proved("workway-api runs version 5f2c11aa; its tag names 0c1d2e3f4.", {
            "worker": "workway-api", "version": "5f2c11aa", "versions": ("5f2c11aa",),
            "proposals": (
                {"commit": "0c1d2e3f4a5b6c7d8e9f00112233445566778899",
                 "why": "tag of version 5f2c11aa"},
                {"commit": "the files in this folder", "why": "as they are now"},
            ),
        }),
        "deploy_order": proved("Database first, then Worker; 31 queries were prepared.", {
            "order": "database first, then Worker", "worker": "workway-api", "version": "5f2c11aa",
            "safe_order": "database first, then code", "deployed": "0c1d2e3f4",
            "new": "the working tree", "deployed_queries": 31, "new_queries": 33,
            "deployed_breaks": 0, "new_breaks": 1, "new_breaks_at_home": 0, "harmless": False,
            "breaks": (
                {"code": "new code", "schema": "old schema", "at": "src/teams.ts:41",
                 "words": "no such column: billing",
                 "query": "SELECT billing FROM teams WHERE id = ?1", "sha256": "ab" * 32},
            ),
            "steps": ("Apply the migration: the deployed code runs on the new schema.",
                      "Then deploy the new code: 1 query needs it."),
        }),
        "ready": proved("2 endpoints as expected; 0.02 % of 61,204 requests failed lately.", {
            "worker": "api", "requests": 61204, "errors": 12, "rate": "0.02",
        }),
        "window": proved("Outside Mon–Fri 9–17 of the users' zone.", {
            "now": "2026-11-22T19:06:00Z", "quiet": True,
            "zones": (
                {"zone": "America/New_York", "local": "Sunday 14:06", "busy": False},
                {"zone": "Europe/Berlin", "local": "Sunday 20:06", "busy": False},
            ),
            "next": ("tonight 03:00–05:00", "tomorrow 03:00–05:00"),
            "quietest": "Sundays 03:00–05:00, 10 requests per hour", "hours": _HOURS,
        }),
        "notified": proved("Sent to #engineering.", {
            "channel": "#engineering", "sent": True,
            "text": f"0061 on {DATABASE}, DESTRUCTIVE, 14:20 EST, ana",
        }),
        "dashboard": attested("Open in a browser.", {
            "url": "https://dash.cloudflare.com/?to=/:account/workers/d1/databases/a1b2c3d4",
        }),
        "go": attested("GO by ana@example.com, good until 14:50.", {
            "decision": "go", "signer": "ana@example.com", "fingerprint": "SHA256:Zk3…",
            "signed_at": "2026-11-22T19:20:00Z", "expires_at": "2026-11-22T19:50:00Z",
        }),
        "applied": proved("Applied: ledger row 57 at 2026-11-22 19:21:09 UTC.", {
            "ledger_id": 57, "applied_at": "2026-11-22 19:21:09", "ms": 1_640, "exit_code": 0,
            "rechecked": ("file", "configuration", "pending", "schema", "ledger"),
        }),
        "ledger": proved("Row 57.", {"id": 57, "name": REBUILD,
                                     "applied_at": "2026-11-22 19:21:09"}),
        "schema": proved("Equal to the rehearsal.", {"equal": True, "differences": ()}),
        "rows": proved("Every table as rehearsed.", {
            "tables": tuple({"table": t, "expected": n, "found": n, "ok": True}
                            for t, n in _COUNTS),
            "quick_check": "ok", "broken_references": 0,
        }),
        "worker_deployed": proved("workway-api runs version 6a7b8c9d; GO froze 5f2c11aa.", {
            "worker": "workway-api", "frozen": "5f2c11aa", "versions": ("6a7b8c9d",),
        }),
        "endpoints": proved("2 endpoints answer.", {"endpoints": (
            {"method": "GET", "url": "/health", "status": 200, "ms": 18, "ok": True, "words": ""},
            {"method": "GET", "url": "/users/me", "status": 200, "ms": 41, "ok": True,
             "words": ""},
        )}),
        "errors": proved("0.02 % over 5 min, limit 0.10 %.", {
            "limit": "0.10", "rate": "0.02", "baseline": "0.02", "requests": 41_200, "errors": 8,
            "watched_s": 300, "watch_s": 300, "samples": samples(30),
        }),
        "close": attested("Nobody noticed."),
    }  # fmt: skip


def samples(number: int) -> tuple[Facts, ...]:
    """What the watch saw, a sample every ten seconds."""
    return tuple(
        {"at": f"2026-11-22T19:{22 + n // 6:02d}:{n % 6 * 10:02d}Z", "requests": 1_370 + 13 * n,
         "errors": 1 if n % 7 == 3 else 0}
        for n in range(number)
    )  # fmt: skip


def prompts() -> Mapping[str, tuple[Prompt, ...]]:
    """The questions the facts give rise to."""
    return {
        "findings": (
            Prompt("rebuild-forgets@9", PromptKind.TEXT,
                   "Line 9: The new teams lacks index idx_teams_stripe. Why is this acceptable?"),
        ),
        "losses": (
            Prompt("losses", PromptKind.CHOOSE_MANY,
                   "The rehearsal lost this. Which losses are intended? Choose none to stop here",
                   choices=("team_members", "teams"), optional=True,
                   labels=("team_members: all 1,204 rows",
                           "teams: the values of deprecated_column in all 112 rows")),
            Prompt("loss_reason", PromptKind.TEXT,
                   "You declare the marked losses. Why is each acceptable, in one sentence?",
                   after="losses"),
        ),
        "class": (Prompt("class", PromptKind.CHOOSE, "Found: destructive. Confirm it",
                         choices=("destructive",)),),
        "way_back": (Prompt("way", PromptKind.CHOOSE,
                            "If it goes wrong, which rollback path is used first?",
                            choices=("down migration", "table restore", "time travel")),),
        "go": (Prompt("go", PromptKind.CONFIRM,
                      f"GO: I have read the plan for {DATABASE}, its losses and the rollback "
                      "path"),),
        "applied": (
            Prompt("database", PromptKind.TEXT, f"Type the database's name: {DATABASE}",
                   typed=DATABASE),
            Prompt("rows", PromptKind.TEXT, "Type the rows at risk: 0", typed="0"),
        ),
    }  # fmt: skip


def plans() -> Mapping[str, tuple[str, ...]]:
    """The commands shown before they run."""
    staged = "--config .preflight/apply/wrangler.json"
    read = f"read ledger, schema and every row of {DATABASE} (wrangler d1 execute --remote --json)"
    rows = "read the rows of team_members, teams, value for value (wrangler d1 execute --json)"
    note = "D1 answers nothing else while it exports: about 4 s, as the copy took"
    export = f"wrangler d1 export {DATABASE} --remote --output .preflight/backup.sql   ({note})"
    return {
        "copied": (read, "into .preflight/copy, private, never in git"),
        "rehearsed": (f"wrangler d1 migrations apply {DATABASE} {staged} --local",),
        "backed_up": (rows, export),
        "applied": (
            f"re-check ledger, schema and values of {DATABASE}",
            f"wrangler d1 migrations apply {DATABASE} {staged} --remote",
            "read the ledger again",
        ),
    }


def rebuild(lost: int = 0, *, target: str = "remote", text: str = REBUILD_SQL) -> FakeSession:
    """The rebuild of the source document, nothing answered yet."""
    file = Migration.from_text(REBUILD, text, Path(f"migrations/{REBUILD}"))
    down = Migration.from_text(REBUILD, DOWN_SQL, Path(f"migrations/down/{REBUILD}"))
    return FakeSession(
        scene_tools(SceneFiles(file, down), DATABASE, target),
        REBUILD_ANALYSIS,
        script=outcomes(lost),
        prompts=prompts(),
        plans=plans(),
    )


def _row(number: str, words: str, kind: Kind, risk: Risk, **more: object) -> BoardRow:
    name = f"{number}_{words}.sql"
    sample = files("d1_preflight") / "practice" / "sample" / "migrations" / name
    row = BoardRow(
        name, number, words, kind, risk, Remote.UNKNOWN, preview=sample.read_text("utf-8")
    )
    return replace(row, **more)  # type: ignore[arg-type]  # the fields are named by the caller


@cache
def rows() -> tuple[BoardRow, ...]:
    """The board's rows as the local files tell them."""
    return (
        _row("0056", "add_workflow_tags", Kind.ADDITIVE, Risk.LOW, mark="✓",
             record="closed · ana · 12 Nov"),
        _row("0057", "add_team_billing_columns", Kind.ADDITIVE, Risk.LOW),
        _row("0058", "add_users_last_login", Kind.ADDITIVE, Risk.LOW),
        _row("0059", "create_audit_logs", Kind.ADDITIVE, Risk.LOW),
        _row("0060", "rename_workflow_runs_old_name", Kind.TRANSFORMATIVE, Risk.MEDIUM),
        _row("0061", "rebuild_teams_remove_deprecated", Kind.DESTRUCTIVE, Risk.HIGH, mark="◐",
             record="open at 3 Data safety", preview=REBUILD_SQL, findings=(FORGOTTEN, CASCADE)),
        _row("0062", "migrate_role_format", Kind.TRANSFORMATIVE, Risk.MEDIUM),
        _row("0063", "broken_backfill", Kind.UNKNOWN, Risk.UNKNOWN),
    )  # fmt: skip


@cache
def answered() -> BoardState:
    """The same rows after the target has answered."""
    told = tuple(
        replace(row, remote=Remote.APPLIED if row.number == "0056" else Remote.PENDING)
        for row in rows()
    )
    return BoardState(told, "remote read 14:02 EST")


def billing() -> FakeSession:
    """The additive migration: nothing goes, and nothing has to be typed."""
    sample = files("d1_preflight") / "practice" / "sample" / "migrations" / BILLING
    file = Migration.from_text(BILLING, sample.read_text("utf-8"), Path(f"migrations/{BILLING}"))
    analysis = Analysis(
        kind=Kind.ADDITIVE, risk=Risk.LOW, rollback="not required",
        reasons=(Reason("adds columns to teams", 7),), effects=Effects(), findings=(),
    )  # fmt: skip
    known: Facts = {"class": "additive", "risk": "low", "rollback": "not required"}
    unchanged: Facts = {
        "tables": tuple(_same(table, rows) for table, rows in _COUNTS), "schema": (),
        "wrangler_ms": 2_812, "sql_ms": 2, "predicted_ms": 2, "rows": ROWS,
    }  # fmt: skip
    found = {
        **outcomes(),
        "class": Outcome(Status.PROVED, "Additive, low risk.", StepFacts.read(known)),
        "rehearsed": Outcome(Status.PROVED, "No row changed.", StepFacts.read(unchanged)),
    }
    asked = {
        "class": (Prompt("class", PromptKind.CHOOSE, "Found: additive. Confirm it",
                         choices=("additive", "destructive")),),
        "go": prompts()["go"],
    }  # fmt: skip
    tools = scene_tools(SceneFiles(file), DATABASE, "remote")
    return FakeSession(tools, analysis, script=found, prompts=asked, plans=plans())


def board(
    session: FakeSession | None = None,
    *,
    target: str = "remote",
    databases: tuple[str, ...] = (),
    name: str = REBUILD,
) -> FakeBoard:
    """The board of the sample project."""
    walked = session or rebuild(target=target)
    header = BoardHeader(DATABASE, target, "wrangler 4.164.0", databases or (DATABASE,))
    return FakeBoard(rows(), {name: walked}, header=header, state=answered())

"""The incident runbook: what to do now, as exact commands with the real names filled in.

The source document's procedures with what was corrected by runs: `.schema` does not pass through
wrangler, `rollback` takes the version as its first word, and D1's time travel is the way back
that always exists.
"""

import re
import shlex
from dataclasses import dataclass

from d1_preflight.core.checklist.answers import NO_WORKER
from d1_preflight.core.record.apply_facts import (
    ApplyFacts,
    EndpointFacts,
    ErrorRateFacts,
    LedgerFacts,
    RowCheckFacts,
    SchemaCheckFacts,
)
from d1_preflight.core.record.change_facts import RehearsalFacts
from d1_preflight.core.record.facts import AnyStep
from d1_preflight.core.record.record import Record, Status
from d1_preflight.core.record.safety_facts import (
    BackupFacts,
    BookmarkFacts,
    DeployOrderFacts,
    RollbackPath,
    RollbackPlanFacts,
)
from d1_preflight.core.sql.tokenizer import quote_name

_LEDGER = "SELECT id, name, applied_at FROM {table} ORDER BY id DESC LIMIT 5"
_SCHEMA = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE '\\_cf\\_%' ESCAPE '\\'"
_NOTHING, _HALF_WAY, _WRONG_DATA, _LOOK = range(4)
_DOWN, _RESTORE = "down migration", "table restore"
_CHECKED = (SchemaCheckFacts, RowCheckFacts, EndpointFacts, ErrorRateFacts)
_BLANK = re.compile(r"<[a-z-]+>|…")
_SOUND = "PRAGMA quick_check; PRAGMA foreign_key_check"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the commands are about; a name that is not known stays "" and is asked for in words.

    `config` holds the database's uuid alone; `environment` is None there. `project_config` and
    `project_environment` are for the one command that must know the migrations' folder.
    """

    database: str
    migration: str = ""
    config: str = ""
    environment: str | None = None
    project_config: str = ""
    project_environment: str = ""
    worker: str = ""
    version: str = ""
    ledger: str = "d1_migrations"
    restore_file: str = ""

    def d1(self, *words: str) -> str:
        """A `wrangler d1` command on this target, as it is typed into a shell."""
        return shlex.join(("wrangler", "d1", *words, *self.flags))

    @property
    def flags(self) -> tuple[str, ...]:
        """Which configuration, and, where it has environments, explicitly which of them."""
        config = ("--config", self.config) if self.config else ()
        env = () if self.environment is None else (f"--env={self.environment}",)
        return (*config, *env)

    @property
    def pending(self) -> str:
        """The pending files; the environment is always said, for a `.env` may name another."""
        config = ("--config", self.project_config) if self.project_config else ()
        where = ("--remote", *config, f"--env={self.project_environment}")
        return shlex.join(("wrangler", "d1", "migrations", "list", self.database, *where))

    def query(self, sql: str) -> str:
        """A question to this target; with `=`, for SQL that begins with -- looks like a flag."""
        asked = self.d1("execute", self.database, "--remote", "--json")
        return f"{asked} --command={shlex.quote(sql)}"


@dataclass(frozen=True, slots=True)
class RunbookStep:
    """One thing to do: words, and the command that does it ("" where no command can).

    `writes`: it changes the target, so a person is asked once more before it is run.
    """

    words: str
    command: str = ""
    writes: bool = False

    @property
    def is_ready(self) -> bool:
        """Whether the command can be run unchanged: it has no blanks to fill in."""
        return bool(self.command) and not _BLANK.search(self.command)


_LEDGER_STAYS = RunbookStep(
    "The ledger keeps its row: wrangler will not apply the file again. Close the record as rolled "
    "back; the next change is a new migration"
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One answer to "what happened?": how it is recognised, and what to do, in order."""

    title: str
    when: str
    steps: tuple[RunbookStep, ...]


def runbook(target: Target, record: Record | None = None) -> tuple[Scenario, ...]:
    """The four scenarios; without a record, the names it would hold are asked for in words."""
    known = _Known(target, record)
    return (_nothing(known), _half_way(known), _wrong_data(known), _look(known))


def likely(record: Record | None) -> int:
    """Which scenario (0 to 3) the record speaks for; without one: look."""
    attempt = record.last(ApplyFacts.step) if record else None
    if record is None or attempt is None:
        return _LOOK
    ledger = record.last(LedgerFacts.step)
    checks = [record.last(kind.step) for kind in _CHECKED]
    there = ledger is not None and ledger.status is Status.PROVED
    if there and any(check and check.status is Status.FAILED for check in checks):
        return _WRONG_DATA
    match attempt.status:
        case Status.PROVED:
            return _WRONG_DATA
        case Status.FAILED:
            return _HALF_WAY if ApplyFacts.from_attempt(attempt).half_way else _NOTHING
        case _:
            return _LOOK


@dataclass(frozen=True, slots=True)
class _Known:
    target: Target
    record: Record | None

    def facts(self, kind: type[AnyStep]) -> AnyStep:
        """The facts of the last attempt at a step, invalidated or not, for the emergency."""
        return kind.from_attempt(self.record.last(kind.step) if self.record else None)

    @property
    def worker(self) -> str:
        return self.facts(DeployOrderFacts).worker or self.target.worker

    @property
    def version(self) -> str:
        return self.facts(DeployOrderFacts).version or self.target.version


def _nothing(known: _Known) -> Scenario:
    return Scenario(
        "nothing was applied",
        "The ledger has no row for it and the schema is as before: a file is rolled back whole.",
        (
            RunbookStep("Check the newest ledger rows", _ledger(known)),
            RunbookStep(
                "Nothing is lost. Read the error in the output (o), fix the file, start again."
            ),
            RunbookStep("Still pending are", _pending(known)),
        ),
    )


def _half_way(known: _Known) -> Scenario:
    return Scenario(
        "it failed half-way",
        "The schema changed, but the ledger has no row; or some files of several were applied.",
        (
            RunbookStep("See what the ledger holds", _ledger(known)),
            RunbookStep("See the tables as they are", known.target.query(_SCHEMA)),
            RunbookStep("Is the data sound?", known.target.query(_SOUND)),
            *_stop(known),
            *_whole_database(known),
            RunbookStep("Fix manually only what you have seen above, one statement at a time."),
        ),
    )


def _wrong_data(known: _Known) -> Scenario:
    return Scenario(
        "applied, but data is wrong",
        "Stop the writes first: each new write makes a rollback lose more.",
        (
            *_stop(known),
            RunbookStep("How many rows, in which tables?", _counts(known)),
            *_tables_back(known),
            *_whole_database(known),
            RunbookStep("Without a backup: look in application logs and external systems."),
            RunbookStep("Afterwards, a post-mortem: why did the rehearsal not show it?"),
        ),
    )


def _look(known: _Known) -> Scenario:
    return Scenario(
        "don't know: look",
        "Reading changes nothing. Do not apply again before you have looked.",
        (
            RunbookStep("Is it in the ledger?", _ledger(known)),
            RunbookStep("What is still pending?", _pending(known)),
            RunbookStep("What do the tables look like?", known.target.query(_SCHEMA)),
            RunbookStep("Is the data sound?", known.target.query(_SOUND)),
            RunbookStep(
                "Which bookmark is now?",
                known.target.d1("time-travel", "info", known.target.database),
            ),
            RunbookStep("Ledger row there: see 3. No row, schema as before: see 1. Else: see 2."),
        ),
    )


def _stop(known: _Known) -> tuple[RunbookStep, ...]:
    if known.facts(DeployOrderFacts).order == NO_WORKER:
        return (RunbookStep("Worker code did not change: do not roll the Worker back"),)
    if not known.worker:
        words = "Stop the bleeding: roll back the Worker to its last version (wrangler rollback)"
        return (RunbookStep(words, "wrangler deployments list --name <worker>"),)
    worker = ("--name", known.worker, *known.target.flags)
    listed = shlex.join(("wrangler", "deployments", "list", *worker))
    if not known.version:
        back = f"wrangler rollback <version-id> {shlex.join(worker)}"
        return (
            RunbookStep("Which version ran before?", listed),
            RunbookStep("Stop the bleeding", back, writes=True),
        )
    back = shlex.join(("wrangler", "rollback", known.version, *worker))
    words = "Stop the bleeding: the Worker first, the database second"
    return (RunbookStep(words, back, writes=True),)


def _tables_back(known: _Known) -> tuple[RunbookStep, ...]:
    plan = known.facts(RollbackPlanFacts)
    paths = sorted(plan.ways, key=lambda path: (_loses_rows(path), path.way != plan.chosen))
    acts = [
        act
        for path in paths
        if path.command and "time-travel" not in path.command
        for act in _way(known, path)
    ]
    if acts:
        return tuple(acts)
    files = [table.file for table in known.facts(BackupFacts).tables]
    return (
        (RunbookStep(f"Backups of the tables: {', '.join(filter(None, files))}"),) if files else ()
    )


def _on_target(target: Target, recorded: str) -> str:
    """A recorded SQL file, run on the target by its uuid.

    The recorded command may name a configuration in which a name means another database today.
    """
    try:
        words = shlex.split(recorded)
    except ValueError:
        return recorded
    file = next((word for word in words if word.startswith("--file=")), "")
    if words[:3] != ["wrangler", "d1", "execute"] or not file:
        return recorded
    return target.d1("execute", target.database, "--remote", file)


def _loses_rows(path: RollbackPath) -> bool:
    """Whether a down migration leaves rows lost; what is not known counts as lost."""
    return path.way == _DOWN and path.loses != "nothing"


def _way(known: _Known, path: RollbackPath) -> tuple[RunbookStep, ...]:
    name, loses = path.way, path.loses
    command = _on_target(known.target, path.command)
    if _loses_rows(path):
        words = f"Restores the schema only; rows stay lost ({name}, loses {loses})"
        return (RunbookStep(words, command, writes=True), _LEDGER_STAYS)
    words = f"Restore data: {name}, loses {loses}"
    if name == _RESTORE:
        return _restore(known, words, command)
    return (RunbookStep(words, command, writes=True), _LEDGER_STAYS)


def _restore(known: _Known, words: str, command: str) -> tuple[RunbookStep, ...]:
    """The backup's rows as SQL, to be looked at; then that SQL on the target."""
    if not known.target.restore_file:
        return (RunbookStep(words, command),)
    file = f"--file={known.target.restore_file}"
    fill = known.target.d1("execute", known.target.database, "--remote", file)
    then = "Then run it; it fails as a whole if a key is already in use, and queries may wait"
    return (
        RunbookStep(f"{words}. First the rows as SQL", command),
        RunbookStep(then, fill, writes=True),
    )


def _whole_database(known: _Known) -> tuple[RunbookStep, ...]:
    now = known.target.d1("time-travel", "info", known.target.database)
    taken = known.facts(BookmarkFacts)
    bookmark = taken.bookmark or "<bookmark>"
    back = known.target.d1("time-travel", "restore", known.target.database, "--bookmark", bookmark)
    if not taken.bookmark:
        back = back.replace("'<bookmark>'", "<bookmark>")
    until = taken.good_until
    good = f", good until {until.replace('T', ' ').replace('Z', ' UTC')}" if until else ""
    return (
        RunbookStep("Before the restore, note the current bookmark (it undoes the restore)", now),
        RunbookStep(
            f"Restore everything: undoes every write since the bookmark{good}", back, writes=True
        ),
    )


def _ledger(known: _Known) -> str:
    return known.target.query(_LEDGER.format(table=quote_name(known.target.ledger)))


def _pending(known: _Known) -> str:
    return known.target.pending


def _counts(known: _Known) -> str:
    rehearsed = known.facts(RehearsalFacts).tables
    touched = [change for change in rehearsed if change.takes or change.added]
    names = [change.table for change in touched or rehearsed]
    tables = (quote_name(name) for name in names or ["table_name"])
    sql = "; ".join(f"SELECT count(*) FROM {table}" for table in tables)
    return known.target.query(sql)

"""The parts of the incident runbook: exact commands with the real names filled in.

The source document's procedures with what was corrected by runs: `.schema` does not pass through
wrangler, `rollback` takes the version as its first word, and D1's time travel is the way back
that always exists.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from string import ascii_uppercase

from d1_preflight.core.checklist.answers import NO_WORKER
from d1_preflight.core.format import duration
from d1_preflight.core.record.change_facts import RehearsalFacts
from d1_preflight.core.record.facts import AnyStep
from d1_preflight.core.record.record import Record
from d1_preflight.core.record.safety_facts import (
    BackupFacts,
    BookmarkFacts,
    DeployOrderFacts,
    RollbackPath,
    RollbackPlanFacts,
)
from d1_preflight.core.sql.tokenizer import quote_name
from d1_preflight.lazy_dataclass import dataclass

_LEDGER = "SELECT id, name, applied_at FROM {table} ORDER BY id DESC LIMIT 5"
SCHEMA = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE '\\_cf\\_%' ESCAPE '\\'"
_WORKER_FIRST = "Worker first, then database"
_DOWN, _RESTORE = "down migration", "table restore"
_BLANK = re.compile(r"<[a-z-]+>|…")
SOUND = "PRAGMA quick_check; PRAGMA foreign_key_check"


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
    maintenance: str = ""  # what stops the writes; it is shown, never run

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

    `writes`: it changes the target, so a person is asked once more before it is run. `option` is
    the letter of an alternative: one letter is chosen. `shown_only`: it is never run from here.
    """

    words: str
    command: str = ""
    writes: bool = False
    option: str = ""
    shown_only: bool = False

    @property
    def is_ready(self) -> bool:
        """Whether the command can be run unchanged: it has no blanks to fill in."""
        return bool(self.command) and not (self.shown_only or _BLANK.search(self.command))


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

    @property
    def labels(self) -> tuple[str, ...]:
        """The number of each step; alternatives have that of the choice, and a letter: 3A, 3B."""
        found, number = list[str](), 0
        for step in self.steps:
            number += not step.option
            found.append(f"{number}{step.option}")
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Known:
    """What the card is about: the target, and the record where there is one."""

    target: Target
    record: Record | None

    def facts(self, kind: type[AnyStep]) -> AnyStep:
        """The facts of the last attempt at a step, invalidated or not, for the emergency."""
        return kind.from_attempt(self.record.last(kind.step) if self.record else None)

    @property
    def worker(self) -> str:
        """The Worker's name; "" where it is not known."""
        return self.facts(DeployOrderFacts).worker or self.target.worker

    @property
    def version(self) -> str:
        """The Worker's version that was live when the order was chosen; "" where not known."""
        return self.facts(DeployOrderFacts).version or self.target.version


BY_HAND = RunbookStep(
    "Fix manually only what you have seen above, one statement at a time: a mistake loses more"
)
AFTERWARDS = RunbookStep(
    "Close the record: the rows are counted again. Then fill in postmortem.md: why did the "
    "rehearsal not show it?"
)


def choice(options: Sequence[tuple[RunbookStep, ...]]) -> tuple[RunbookStep, ...]:
    """Alternatives, of which one is chosen; a single one needs no letter."""
    if len(options) < 2:  # noqa: PLR2004 - a choice has two
        return tuple(step for option in options for step in option)
    letters = ascii_uppercase[: len(options)]
    named = f"{', '.join(letters[:-1])} or {letters[-1]}"
    chosen = (
        replace(step, option=letter)
        for letter, option in zip(letters, options, strict=True)
        for step in option
    )
    return (RunbookStep(f"Choose one, {named}: they are alternatives"), *chosen)


def stop_writes(known: Known, when: str = "Stop the writes first") -> RunbookStep:
    """How the application stops writing: the team's own command, or what wrangler has."""
    note = "wrangler rollback does not stop writes: the previous version writes too"
    if known.target.maintenance:
        words = f"{when}: your maintenance deploy; copy it, it is not run from here ({note})"
        return RunbookStep(words, known.target.maintenance, writes=True, shown_only=True)
    words = f"{when}: deploy a version that only answers 503 ({note})"
    deploy = "wrangler versions deploy <maintenance-version-id>@100%"
    command = f"{deploy} --name {shlex.quote(known.worker) if known.worker else '<worker>'}"
    return RunbookStep(words, " ".join((command, *map(shlex.quote, known.target.flags))),
                       writes=True, shown_only=True)  # fmt: skip


def deployments_command(known: Known) -> str:
    """The command that lists which versions of the Worker ran."""
    if not known.worker:
        return "wrangler deployments list --name <worker>"
    return shlex.join(
        ("wrangler", "deployments", "list", "--name", known.worker, *known.target.flags)
    )


def worker_back(known: Known) -> tuple[RunbookStep, ...]:
    """The Worker's rollback, as the order that was chosen has it; no order is known: as well."""
    order = known.facts(DeployOrderFacts).order
    if order == NO_WORKER:
        return (RunbookStep("Worker code did not change: do not roll the Worker back"),)
    if not known.worker:
        words = "Roll the Worker back to the previous version (wrangler rollback)"
        return (RunbookStep(words, deployments_command(known)),)
    worker = shlex.join(("--name", known.worker, *known.target.flags))
    if not known.version or order == _WORKER_FIRST:
        doubt = (
            f" Version {known.version} was live when the order was chosen; it may be the new one"
        )
        which = f"Which version ran before?{doubt if known.version else ''}"
        back = f"wrangler rollback <version-id> {worker}"
        return (
            RunbookStep(which, deployments_command(known)),
            RunbookStep("Roll the Worker back to it: loses no row", back, writes=True),
        )
    back = f"wrangler rollback {shlex.quote(known.version)} {worker}"
    words = "If the new Worker is live: roll it back before the database. Loses no row"
    return (RunbookStep(words, back, writes=True),)


def worker_paths(known: Known) -> list[tuple[RunbookStep, ...]]:
    """What may be done about the code alone: it loses no row."""
    target = known.target
    where = ("--config", target.project_config) if target.project_config else ()
    deploy = shlex.join(("wrangler", "deploy", *where, f"--env={target.project_environment}"))
    forward = RunbookStep(
        "Deploy the Worker that fits the new schema, if it is not live: loses nothing",
        deploy, writes=True, shown_only=True,
    )  # fmt: skip
    if known.facts(DeployOrderFacts).order == NO_WORKER:
        return [(forward,)]
    first, *rest = worker_back(known)
    fits = "Only if the previous code runs on the new schema (a rename or a drop breaks it). "
    return [(forward,), (replace(first, words=f"{fits}{first.words}"), *rest)]


def database_paths(known: Known) -> list[tuple[RunbookStep, ...]]:
    """The rollback paths that were proved, the one that loses least first; Time Travel last."""
    plan = known.facts(RollbackPlanFacts)
    paths = sorted(plan.ways, key=lambda path: (_loses_rows(path), path.way != plan.chosen))
    found = [_way(known, p) for p in paths if p.command and "time-travel" not in p.command]
    files = [table.file for table in known.facts(BackupFacts).tables if table.file]
    if not found and files:
        found = [(RunbookStep(f"Backups of the tables: {', '.join(files)}"),)]
    return [*found, whole_database(known)]


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


def _way(known: Known, path: RollbackPath) -> tuple[RunbookStep, ...]:
    name = path.way
    took = f"{duration(path.takes_ms)} locally" if path.takes_ms else "time not measured"
    loses = f"{path.loses or 'an unknown amount'}; {took}"
    command = _on_target(known.target, path.command)
    if _loses_rows(path):
        words = f"Restores the schema only; rows stay lost ({name}, loses {loses})"
        return (RunbookStep(words, command, writes=True), _LEDGER_STAYS)
    words = f"Restore data: {name}, loses {loses}"
    if name == _RESTORE:
        return _restore(known, words, command)
    return (RunbookStep(words, command, writes=True), _LEDGER_STAYS)


def _restore(known: Known, words: str, command: str) -> tuple[RunbookStep, ...]:
    """The backup's rows as SQL, to be looked at; then that SQL on the target."""
    if not known.target.restore_file:
        return (RunbookStep(words, command),)
    file = f"--file={known.target.restore_file}"
    fill = known.target.d1("execute", known.target.database, "--remote", file)
    then = "Then run it; it fails as a whole if a key is already in use, and queries may wait"
    return (
        RunbookStep(f"{words}. First, write the rows as SQL", command),
        RunbookStep(then, fill, writes=True),
    )


def whole_database(known: Known) -> tuple[RunbookStep, ...]:
    """Time Travel: back to the bookmark, and how to undo even that."""
    now = known.target.d1("time-travel", "info", known.target.database)
    taken = known.facts(BookmarkFacts)
    bookmark = taken.bookmark or "<bookmark>"
    back = known.target.d1("time-travel", "restore", known.target.database, "--bookmark", bookmark)
    if not taken.bookmark:
        back = back.replace("'<bookmark>'", "<bookmark>")
    until = taken.good_until
    since = f" of {taken.taken_at.replace('T', ' ').replace('Z', ' UTC')}" if taken.taken_at else ""
    good = f"; good until {until.replace('T', ' ').replace('Z', ' UTC')}" if until else ""
    return (
        RunbookStep("Before the restore, note the current bookmark (it undoes the restore)", now),
        RunbookStep(
            f"Restore everything: loses every write since the bookmark{since}, in every table; "
            f"time not measured{good}",
            back,
            writes=True,
        ),
    )


def ledger_query(known: Known) -> str:
    """The command that reads the newest rows of the ledger."""
    return known.target.query(_LEDGER.format(table=quote_name(known.target.ledger)))


def count_query(known: Known) -> str:
    """The command that counts the rows of the tables that the migration changes."""
    rehearsed = known.facts(RehearsalFacts).tables
    touched = [change for change in rehearsed if change.takes or change.added]
    names = [change.table for change in touched or rehearsed]
    tables = (quote_name(name) for name in names or ["table_name"])
    sql = "; ".join(f"SELECT count(*) FROM {table}" for table in tables)
    return known.target.query(sql)

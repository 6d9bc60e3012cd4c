"""The emergency card: what to do now, as exact commands with the real names filled in.

The source document's procedures with what was corrected by runs: `.schema` does not pass through
wrangler, `rollback` takes the version as its first word, and D1's time travel is the way back
that always exists.
"""

import re
import shlex
from dataclasses import dataclass

from d1_preflight.core.record import facts
from d1_preflight.core.record.record import Facts, Record, Status

_LEDGER = 'SELECT id, name, applied_at FROM "{table}" ORDER BY id DESC LIMIT 5'
_SCHEMA = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE '\\_cf\\_%' ESCAPE '\\'"
_TOUCHED = ("lost", "nulled", "changed", "added")
_NOTHING, _HALF_WAY, _WRONG_DATA, _LOOK = range(4)
_NO_CODE, _DOWN, _RESTORE = "no code goes along", "down migration", "table restore"
_CHECKED = ("schema", "rows", "endpoints", "errors")
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
class Act:
    """One thing to do: words, and the command that does it ("" where no command can).

    `writes`: it changes the target, so a person is asked once more before it is run.
    """

    words: str
    command: str = ""
    writes: bool = False

    @property
    def is_ready(self) -> bool:
        """Whether the command can be run as it stands: nothing in it is left to be filled in."""
        return bool(self.command) and not _BLANK.search(self.command)


_LEDGER_STAYS = Act(
    "The ledger keeps its row: wrangler will not apply the file again. Close the record as rolled "
    "back; the next change is a new migration"
)


@dataclass(frozen=True, slots=True)
class Situation:
    """One answer to "what happened?": how it is recognised, and what to do, in order."""

    title: str
    when: str
    steps: tuple[Act, ...]


def card(target: Target, record: Record | None = None) -> tuple[Situation, ...]:
    """The four situations; without a record, the names it would hold are asked for in words."""
    known = _Known(target, record)
    return (_nothing(known), _half_way(known), _wrong_data(known), _look(known))


def likely(record: Record | None) -> int:
    """Which situation (0 to 3) the record speaks for; without one: look."""
    attempt = record.last("applied") if record else None
    if record is None or attempt is None:
        return _LOOK
    ledger = record.last("ledger")
    checks = [record.last(step) for step in _CHECKED]
    there = ledger is not None and ledger.status is Status.PROVED
    if there and any(check and check.status is Status.FAILED for check in checks):
        return _WRONG_DATA
    match attempt.status:
        case Status.PROVED:
            return _WRONG_DATA
        case Status.FAILED:
            return _HALF_WAY if facts.flag(attempt.facts, "half_way") else _NOTHING
        case _:
            return _LOOK


@dataclass(frozen=True, slots=True)
class _Known:
    target: Target
    record: Record | None

    def facts(self, step: str) -> Facts:
        """What the last attempt at a step found, fallen or not: in an emergency it still helps."""
        attempt = self.record.last(step) if self.record else None
        return attempt.facts if attempt else {}

    @property
    def bookmark(self) -> str:
        return facts.text(self.facts("bookmark"), "bookmark")

    @property
    def worker(self) -> str:
        return facts.text(self.facts("deploy_order"), "worker") or self.target.worker

    @property
    def version(self) -> str:
        return facts.text(self.facts("deploy_order"), "version") or self.target.version


def _nothing(known: _Known) -> Situation:
    return Situation(
        "nothing was applied",
        "The ledger has no row for it and the schema is as before: a file is rolled back whole.",
        (
            Act("Make sure: the newest ledger rows", _ledger(known)),
            Act("Nothing is lost. Read the error in the output (o), fix the file, walk it again."),
            Act("Still pending are", _pending(known)),
        ),
    )


def _half_way(known: _Known) -> Situation:
    return Situation(
        "it failed half-way",
        "The schema changed, but the ledger has no row; or some files of several were applied.",
        (
            Act("See what the ledger holds", _ledger(known)),
            Act("See the tables as they are", known.target.query(_SCHEMA)),
            Act("Is the data sound?", known.target.query(_SOUND)),
            *_stop(known),
            *_whole_database(known),
            Act("Fix manually only what you have seen above, one statement at a time."),
        ),
    )


def _wrong_data(known: _Known) -> Situation:
    return Situation(
        "applied, but data is wrong",
        "Stop the writes first: each new write makes a rollback lose more.",
        (
            *_stop(known),
            Act("How many rows, in which tables?", _counts(known)),
            *_tables_back(known),
            *_whole_database(known),
            Act("Without a backup: look in application logs and external systems."),
            Act("Afterwards, a post-mortem: why did the rehearsal not show it?"),
        ),
    )


def _look(known: _Known) -> Situation:
    return Situation(
        "don't know: look",
        "Reading changes nothing. Do not apply again before you have looked.",
        (
            Act("Is it in the ledger?", _ledger(known)),
            Act("What is still pending?", _pending(known)),
            Act("What do the tables look like?", known.target.query(_SCHEMA)),
            Act("Is the data sound?", known.target.query(_SOUND)),
            Act(
                "Which bookmark is now?",
                known.target.d1("time-travel", "info", known.target.database),
            ),
            Act("Ledger row there: see 3. No row, schema as before: see 1. Else: see 2."),
        ),
    )


def _stop(known: _Known) -> tuple[Act, ...]:
    if facts.text(known.facts("deploy_order"), "order") == _NO_CODE:
        return (Act("No code went along; the Worker that runs is the one from before"),)
    if not known.worker:
        words = "Stop the bleeding: roll the Worker back to the version before (wrangler rollback)"
        return (Act(words, "wrangler deployments list --name <worker>"),)
    worker = ("--name", known.worker, *known.target.flags)
    listed = shlex.join(("wrangler", "deployments", "list", *worker))
    if not known.version:
        back = f"wrangler rollback <version-id> {shlex.join(worker)}"
        return (
            Act("Which version ran before?", listed),
            Act("Stop the bleeding", back, writes=True),
        )
    back = shlex.join(("wrangler", "rollback", known.version, *worker))
    words = "Stop the bleeding: the Worker first, the database second"
    return (Act(words, back, writes=True),)


def _tables_back(known: _Known) -> tuple[Act, ...]:
    decided = known.facts("way_back")
    chosen = facts.text(decided, "chosen")
    ways = sorted(
        facts.rows(decided, "ways"),
        key=lambda way: (_loses_rows(way), facts.text(way, "way") != chosen),
    )
    acts = [
        act
        for way in ways
        if (command := facts.text(way, "command")) and "time-travel" not in command
        for act in _way(known, way, command)
    ]
    if acts:
        return tuple(acts)
    files = [facts.text(row, "file") for row in facts.rows(known.facts("backed_up"), "tables")]
    return (Act(f"Backups of the tables: {', '.join(filter(None, files))}"),) if files else ()


def _on_target(target: Target, recorded: str) -> str:
    """A file of SQL that the record says to run, run on the target by its uuid.

    The recorded command may name a configuration in which a name means another database by now.
    """
    try:
        words = shlex.split(recorded)
    except ValueError:
        return recorded
    file = next((word for word in words if word.startswith("--file=")), "")
    if words[:3] != ["wrangler", "d1", "execute"] or not file:
        return recorded
    return target.d1("execute", target.database, "--remote", file)


def _loses_rows(way: Facts) -> bool:
    """Whether a down migration leaves rows lost; what is not known counts as lost."""
    return facts.text(way, "way") == _DOWN and facts.text(way, "loses") != "nothing"


def _way(known: _Known, way: Facts, recorded: str) -> tuple[Act, ...]:
    name, loses = facts.text(way, "way"), facts.text(way, "loses")
    command = _on_target(known.target, recorded)
    if _loses_rows(way):
        words = f"Restores the schema only; rows stay lost ({name}, loses {loses})"
        return (Act(words, command, writes=True), _LEDGER_STAYS)
    words = f"Restore data: {name}, loses {loses}"
    if name == _RESTORE:
        return _restore(known, words, command)
    return (Act(words, command, writes=True), _LEDGER_STAYS)


def _restore(known: _Known, words: str, command: str) -> tuple[Act, ...]:
    """The backup's rows as SQL, to be looked at; then that SQL on the target."""
    if not known.target.restore_file:
        return (Act(words, command),)
    file = f"--file={known.target.restore_file}"
    fill = known.target.d1("execute", known.target.database, "--remote", file)
    then = "Then run it; it fails as a whole if a key is already in use, and queries may wait"
    return (Act(f"{words}. First the rows as SQL", command), Act(then, fill, writes=True))


def _whole_database(known: _Known) -> tuple[Act, ...]:
    now = known.target.d1("time-travel", "info", known.target.database)
    bookmark = known.bookmark or "<bookmark>"
    back = known.target.d1("time-travel", "restore", known.target.database, "--bookmark", bookmark)
    if not known.bookmark:
        back = back.replace("'<bookmark>'", "<bookmark>")
    until = facts.text(known.facts("bookmark"), "good_until")
    good = f", good until {until.replace('T', ' ').replace('Z', ' UTC')}" if until else ""
    return (
        Act("Before the restore, note the current bookmark (it undoes the restore)", now),
        Act(f"Restore everything: undoes every write since the bookmark{good}", back, writes=True),
    )


def _ledger(known: _Known) -> str:
    return known.target.query(_LEDGER.format(table=known.target.ledger.replace('"', '""')))


def _pending(known: _Known) -> str:
    return known.target.pending


def _counts(known: _Known) -> str:
    rehearsed = facts.rows(known.facts("rehearsed"), "tables")
    touched = [row for row in rehearsed if any(facts.number(row, key) for key in _TOUCHED)]
    names = [facts.text(row, "table") for row in touched or rehearsed]
    quoted = (name.replace('"', '""') for name in names or ["table_name"])
    sql = "; ".join(f'SELECT count(*) FROM "{name}"' for name in quoted)
    return known.target.query(sql)

"""An adoption on a target in memory: compared, confirmed, backed up, signed, written, observed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from actions.fake_target import Bench, agreeable, failed, lost
from core.record_values import KEYS
from d1_preflight.actions import ADOPTION_STEPS
from d1_preflight.actions.adopt import compared_files
from d1_preflight.actions.adoption_files import AdoptionFiles
from d1_preflight.core.checklist.shipped import adoption_checklist
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.ports import Evidence
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.record.change_facts import AdoptedFacts, ComparedFacts
from d1_preflight.core.record.record import Attempt, Status
from d1_preflight.core.verify.verify import verify_record
from d1_preflight.session import Session

NAME = "adoption"
FILES = (
    ("0001_base.sql", "CREATE TABLE teams(id TEXT PRIMARY KEY, name TEXT, old TEXT);"),
    ("0002_members.sql", "CREATE TABLE members(id INTEGER PRIMARY KEY, team TEXT, role TEXT);"),
    ("0003_roles.sql", "UPDATE members SET role = 'member' WHERE role IS NULL;"),
    ("0004_billing.sql", "ALTER TABLE teams ADD COLUMN billing TEXT;"),
)
LIVE = f"{FILES[0][1]}\n{FILES[1][1]}"
DRIZZLE = 'CREATE TABLE "__drizzle_migrations"(id INTEGER PRIMARY KEY, hash TEXT, created_at INT)'

RAN: Mapping[str, object] = {"ran": ("0003_roles.sql",), "how": "the support team ran it by hand"}


class Adopting:
    """A bench whose session is an adoption."""

    def __init__(
        self, folder: Path, files: Sequence[tuple[str, str]] = FILES, live: str = LIVE
    ) -> None:
        self.bench = Bench(folder, earlier=live, rows="SELECT 1")
        self.bench.target.connection.execute("DROP TABLE d1_migrations")
        *others, own = (Migration.from_text(*file) for file in files)
        self.bench.files.others, self.bench.files.own = tuple(others), own
        self.opened()

    def opened(self) -> Session:
        """A new session on the same record, as after a restart."""
        about = compared_files(self.bench.store.load())
        files = AdoptionFiles(self.bench.files, NAME, about)
        environment = replace(self.bench.environment(), name=NAME, files=files)
        self.session = Session(adoption_checklist(), environment, ADOPTION_STEPS)
        return self.session

    async def step(self, step_id: str, **given: object) -> Attempt:
        step = self.session.checklist.step(step_id)
        asked = self.session.prompts(step)
        raw = {prompt.key: given.get(prompt.key, agreeable(prompt)) for prompt in asked}
        return await self.session.perform(step, raw)

    async def walk(self, until: str = "", given: Mapping[str, object] = RAN) -> "Adopting":
        while (step := self.session.current) is not None and step.id != until:
            attempt = await self.step(step.id, **given)
            assert attempt.status.is_answered, f"{step.id}: {attempt.status}: {attempt.words}"
        return self

    def ledger(self) -> list[object]:
        found = self.bench.query("SELECT name FROM d1_migrations ORDER BY id")
        return [name for (name,) in found]

    def has_ledger(self) -> bool:
        return bool(self.bench.query("SELECT 1 FROM sqlite_schema WHERE name = 'd1_migrations'"))


async def test_the_rows_of_what_the_schema_shows_and_a_person_vouches_for_are_written(
    tmp_path: Path,
) -> None:
    adopting = await Adopting(tmp_path).walk()

    assert adopting.session.closed
    assert adopting.ledger() == ["0001_base.sql", "0002_members.sql", "0003_roles.sql"]
    assert adopting.bench.target.protected == ["read"]  # the one batch outlives its session
    compared = ComparedFacts.from_attempt(adopting.session.attempt("compared"))
    assert [f.applied for f in compared.files] == ["applied", "applied", "unknown", "not applied"]
    confirmed = AdoptedFacts.from_attempt(adopting.session.attempt("class"))
    assert confirmed.by_words == ("0003_roles.sql",)
    found = verify_record(adopting.bench.store.files(), adopting.session.checklist, KEYS)
    assert [problem.words for problem in found.problems] == []
    assert found.facts["checklist"] == "as shipped"


async def test_the_rows_that_d1_wrote_are_counted(tmp_path: Path) -> None:
    adopting = await Adopting(tmp_path).walk(until="applied")
    target, real = adopting.bench.target, adopting.bench.target.run

    async def run(args: Sequence[str], **given: object) -> Evidence:
        ran = await real(args, **given)  # type: ignore[arg-type]
        meta = '"meta": {"rows_read": 2, "rows_written": 5}'
        told = ran.stdout.replace('"meta": {}', meta)
        return replace(ran, stdout=told) if given.get("protect") else ran

    target.run = run  # type: ignore[method-assign]
    attempt = await adopting.step("applied")

    assert AdoptedFacts.from_attempt(attempt).rows_written == 10  # of both statements
    assert adopting.session.record.rows_written == 10


async def test_what_nobody_vouches_for_gets_no_row(tmp_path: Path) -> None:
    adopting = await Adopting(tmp_path).walk(given={"ran": ()})

    assert adopting.ledger() == ["0001_base.sql", "0002_members.sql"]


@pytest.mark.parametrize(
    ("live", "words"),
    [
        (FILES[0][1] + "CREATE TABLE members(id INTEGER PRIMARY KEY, team TEXT, role INT);",
         "0002_members.sql (contradicts"),
        (LIVE.replace("old TEXT", "billing TEXT"), "0001_base.sql (partly"),
    ],
)  # fmt: skip
async def test_a_file_that_is_there_in_part_or_contradicted_blocks(
    tmp_path: Path, live: str, words: str
) -> None:
    adopting = Adopting(tmp_path, live=live)

    attempt = await adopting.step("compared")

    assert attempt.status is Status.FAILED
    assert words in attempt.words
    with pytest.raises(NotAllowed):
        await adopting.step("class")
    assert not adopting.has_ledger()


async def test_another_tools_ledger_is_read_and_left_as_it_is(tmp_path: Path) -> None:
    adopting = Adopting(tmp_path)
    adopting.bench.target.connection.execute(DRIZZLE)
    for name, text in FILES[:3]:
        digest = Migration.from_text(name, text).sha256
        adopting.bench.target.connection.execute(
            'INSERT INTO "__drizzle_migrations"(hash) VALUES (?)', (digest,)
        )

    await adopting.walk()

    assert adopting.ledger() == ["0001_base.sql", "0002_members.sql", "0003_roles.sql"]
    assert adopting.bench.query('SELECT count(*) FROM "__drizzle_migrations"') == [(3,)]
    backup = adopting.session.attempt("backed_up")
    assert backup is not None
    assert backup.words.startswith("__drizzle_migrations exported")


async def test_a_ledger_that_says_otherwise_than_the_schema_contradicts(tmp_path: Path) -> None:
    adopting = Adopting(tmp_path)
    adopting.bench.target.apply = lambda *_: None  # type: ignore[method-assign]
    make = "CREATE TABLE d1_migrations(id INTEGER PRIMARY KEY, name TEXT UNIQUE, applied_at TEXT);"
    row = "INSERT INTO d1_migrations(name, applied_at) VALUES ('0004_billing.sql', '2026')"
    adopting.bench.target.connection.execute(make + row)

    attempt = await adopting.step("compared")

    assert attempt.status is Status.FAILED
    assert "0004_billing.sql (contradicts" in attempt.words


async def test_what_changed_since_the_comparison_holds_the_write(tmp_path: Path) -> None:
    adopting = await Adopting(tmp_path).walk(until="applied")
    adopting.bench.target.connection.execute("CREATE TABLE other(x)")

    attempt = await adopting.step("applied")

    assert attempt.status is Status.FAILED
    assert "the schema of the target changed" in attempt.words
    assert not adopting.has_ledger()


async def test_a_trigger_on_the_ledger_holds_the_write(tmp_path: Path) -> None:
    adopting = await Adopting(tmp_path).walk(until="applied")
    adopting.bench.target.connection.execute(
        "CREATE TABLE d1_migrations(id INTEGER PRIMARY KEY, name TEXT UNIQUE, applied_at TEXT);"
        "CREATE TRIGGER eats AFTER INSERT ON d1_migrations BEGIN DELETE FROM d1_migrations; END"
    )

    attempt = await adopting.step("applied")

    assert attempt.status is Status.FAILED
    assert "the triggers of the ledger (eats) changed" in attempt.words


async def test_a_lost_reply_is_observed_and_nothing_is_written_twice(tmp_path: Path) -> None:
    adopting = await Adopting(tmp_path).walk(until="applied")
    target = adopting.bench.target
    real = target.run

    async def run(args: Sequence[str], **given: object) -> object:
        ran = await real(args, **given)  # type: ignore[arg-type]
        return lost(ran) if given.get("protect") else ran

    target.run = run  # type: ignore[method-assign,assignment]
    first = await adopting.step("applied")
    assert first.status is Status.PROVED  # the ledger shows it, whatever the exit code
    assert "It is unknown who wrote them" in first.words
    target.run = real  # type: ignore[method-assign]
    await adopting.walk()
    assert len(adopting.ledger()) == 3


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_killed_session_looks_first_and_writes_nothing_blindly(
    tmp_path: Path, *, arrived: bool
) -> None:
    adopting = await Adopting(tmp_path).walk(until="applied")
    real = adopting.bench.target.run

    class Killed(BaseException):
        """The process died here."""

    async def run(args: Sequence[str], **given: object) -> object:
        if given.get("protect"):
            if arrived:
                await real(args, **given)  # type: ignore[arg-type]
            raise Killed
        return await real(args, **given)  # type: ignore[arg-type]

    adopting.bench.target.run = run  # type: ignore[method-assign,assignment]
    with pytest.raises(Killed):
        await adopting.step("applied")
    adopting.bench.target.run = real  # type: ignore[method-assign]

    adopting.opened()
    attempt = await adopting.step("applied")

    assert adopting.session.record.attempts[-2].status is Status.INTERRUPTED
    assert attempt.status is (Status.PROVED if arrived else Status.FAILED)
    await adopting.walk()
    assert adopting.session.closed
    assert len(adopting.ledger()) == 3


async def test_a_refused_batch_leaves_nothing(tmp_path: Path) -> None:
    adopting = await Adopting(tmp_path).walk(until="applied")
    real = adopting.bench.target.run

    async def run(args: Sequence[str], **given: object) -> object:
        if given.get("protect"):
            refused = await real((*args[:-1], "--command=SELECT 1 FROM nowhere;"), **given)  # type: ignore[arg-type]
            return failed("UNIQUE constraint failed")(refused)
        return await real(args, **given)  # type: ignore[arg-type]

    adopting.bench.target.run = run  # type: ignore[method-assign,assignment]
    attempt = await adopting.step("applied")

    assert attempt.status is Status.FAILED
    assert attempt.words.startswith("Not written:")


async def test_a_migration_that_comes_after_the_write_does_not_hold_the_close(
    tmp_path: Path,
) -> None:
    adopting = await Adopting(tmp_path).walk(until="close")
    adopting.bench.files.others = (
        *adopting.bench.files.others, Migration.from_text("0005_new.sql", "CREATE TABLE n(x);"),
    )  # fmt: skip

    adopting.opened()
    await adopting.walk()

    assert adopting.session.closed


async def test_the_checklist_of_an_adoption_vouches_for_no_migration(tmp_path: Path) -> None:
    adopting = await Adopting(tmp_path).walk()
    files = dict(adopting.bench.store.files())
    files["record.toml"] = files["record.toml"].replace(
        b'migration = "adoption"', b'migration = "0004_billing.sql"'
    )

    found = verify_record(files, adopting.session.checklist, KEYS)

    assert any("the record covers a migration" in problem.words for problem in found.problems)

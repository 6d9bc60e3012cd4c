"""Every end of counts, backup, its proof and the bookmark: half a backup is none."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from actions.conftest import Walked
from actions.fake_target import ADDITIVE, UUID, Bench, cut, failed, replied
from d1_preflight.adapters.local import LocalDatabases
from d1_preflight.core.errors import ProjectError
from d1_preflight.core.project.settings import Data, Settings
from d1_preflight.core.record.record import Status
from d1_preflight.core.rows.equality import Difference
from d1_preflight.core.rows.table_copy import RowCopy


async def test_a_schema_that_changed_since_the_copy_is_not_counted(walked: Walked) -> None:
    bench = await walked("counted")
    bench.target.connection.execute("CREATE TABLE more(a)")

    attempt = await bench.step("counted")

    assert attempt.status is Status.FAILED
    assert attempt.words.startswith("The target's schema changed since it was copied.")
    assert attempt.facts == {}


async def test_counts_are_those_of_every_table(walked: Walked) -> None:
    bench = await walked("counted")

    attempt = await bench.step("counted")

    assert (attempt.status, attempt.words) == (Status.PROVED, "8 rows in 3 tables, as copied.")
    assert attempt.facts["tables"] == (
        {"table": "log", "rows": 3},
        {"table": "members", "rows": 3},
        {"table": "teams", "rows": 2},
    )


@pytest.mark.parametrize("step", ["counted", "backed_up", "bookmark"])
async def test_a_target_that_does_not_answer_proves_nothing(walked: Walked, step: str) -> None:
    bench = await walked(step)
    forget_copied_rows(bench)
    bench.target.instead["read"] = bench.target.instead["bookmark"] = cut

    assert (await bench.step(step)).status is Status.UNKNOWN


async def test_a_copy_older_than_the_answer_may_be_is_not_counted_nor_kept(walked: Walked) -> None:
    bench = await walked("counted")
    bench.target.connection.execute("INSERT INTO teams VALUES ('c', '', '')")
    bench.clock.at += timedelta(hours=3)

    counted, backup = await bench.step("counted"), await bench.step("backed_up")

    assert counted.words == "9 rows in 3 tables."
    assert (backup.status, backup.facts["rows"]) == (Status.PROVED, 3)


def forget_copied_rows(bench: Bench) -> None:
    """Without the row copies of the copy, a backup reads the target."""
    shutil.rmtree(bench.folder / ".preflight" / "copy" / "rows", ignore_errors=True)


def backups(bench: Bench) -> list[str]:
    folder = bench.folder / ".preflight" / "backup"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


async def test_a_backup_that_breaks_off_leaves_the_earlier_one(walked: Walked) -> None:
    bench = await walked("backed_up")
    forget_copied_rows(bench)
    await bench.step("backed_up")
    first = backups(bench)
    bench.target.instead["read"] = cut

    assert (await bench.step("backed_up")).status is Status.UNKNOWN
    assert first[0] in backups(bench)
    assert not list((bench.folder / ".preflight" / "backup" / first[0]).rglob("*.tmp"))

    del bench.target.instead["read"]
    assert (await bench.step("backed_up")).status is Status.PROVED
    assert first[0] not in backups(bench)


MANY = (
    "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 30)"
    " INSERT INTO teams(id) SELECT 'n' || i FROM s"
)


async def test_rows_that_keep_coming_while_they_are_read_are_no_backup(walked: Walked) -> None:
    bench = await walked("backed_up")
    forget_copied_rows(bench)
    bench.first_rows = 20
    bench.opened()
    bench.target.connection.execute(MANY)
    bench.target.then["read"] = bench.writes(
        "INSERT INTO teams(id) SELECT 'm' || count(*) FROM teams"
    )

    attempt = await bench.step("backed_up")

    assert attempt.status is Status.FAILED
    assert attempt.words == (
        "teams changed twice while it was read. Make the backup when fewer writes happen,"
        " or stop the writer."
    )
    assert bench.target.commands.count("export") == 1
    assert bench.target.commands.count("read") == 6  # two pages and their count, twice


async def test_rows_that_came_once_are_read_again(walked: Walked) -> None:
    bench = await walked("backed_up")
    forget_copied_rows(bench)
    await bench.step("backed_up")
    bench.target.connection.execute("INSERT INTO teams VALUES ('c', '', '')")

    attempt = await bench.step("backed_up")

    assert attempt.status is Status.PROVED
    assert attempt.facts["rows"] == 3


@pytest.mark.parametrize("harm", ["refused", "no file"])
async def test_an_export_that_fails_leaves_the_backup_and_is_said(
    walked: Walked, harm: str
) -> None:
    bench = await walked("backed_up")
    if harm == "refused":
        bench.target.instead["export"] = failed("cannot export: SQLITE_ERROR")
    else:
        bench.target.then["export"] = bench.forgets_exports

    attempt = await bench.step("backed_up")

    assert attempt.status is Status.PROVED
    assert "; no export: " in attempt.words
    export = attempt.facts["export"]
    assert isinstance(export, dict)
    assert set(export) == {"words"}

    proof = await bench.step("restored")
    assert proof.status is Status.PROVED
    assert proof.words.endswith("There is no export.")
    assert proof.facts["export_loads"] is False


async def test_the_backup_holds_the_export_and_its_hash_for_its_owner_alone(
    walked: Walked,
) -> None:
    bench = await walked("backed_up")

    attempt = await bench.step("backed_up")

    (export,) = bench.exports()
    assert export.stat().st_mode & 0o777 == 0o600
    told = attempt.facts["export"]
    assert isinstance(told, dict)
    assert told["bytes"] == export.stat().st_size
    assert bench.folder.joinpath(str(told["file"])) == export
    (call,) = [call for call in bench.target.calls if "export" in call]
    assert call[-2:] == ("--table", "teams")
    assert "--remote" in call


async def test_a_critical_table_is_backed_up_untouched(walked: Walked) -> None:
    bench = await walked("backed_up", settings=Settings(data=Data(critical_tables=("LOG",))))

    attempt = await bench.step("backed_up")

    assert attempt.words.startswith("2 tables, 5 rows, kept exactly in .preflight/backup/")
    proof = await bench.step("restored")
    assert proof.words == "5 rows in 2 tables restored, identical value for value."
    assert proof.facts["tables"] == (
        {"table": "log", "rows": 3, "identical": True, "words": "identical"},
        {"table": "teams", "rows": 2, "identical": True, "words": "identical"},
    )


class Worse(LocalDatabases):
    """A machine on which no copy is restored as it was."""

    def compare_copy(self, copy: RowCopy, persist: Path) -> Difference | None:
        assert persist.name
        return Difference(copy.table, "row 2 has another name")


async def test_a_backup_that_is_not_restored_identically_fails(walked: Walked) -> None:
    bench = await walked("restored")
    bench.local = Worse(UUID)
    bench.opened()

    attempt = await bench.step("restored")

    assert attempt.status is Status.FAILED
    assert attempt.words.startswith("teams was not restored identically: ")
    assert "gives_back" not in attempt.facts


@pytest.mark.parametrize("harm", ["gone", "other"])
async def test_a_backup_that_is_not_the_one_that_was_written_proves_nothing(
    walked: Walked, harm: str
) -> None:
    bench = await walked("restored")
    bench.harm_backup(harm)

    attempt = await bench.step("restored")

    assert attempt.status is Status.FAILED
    assert "backup" in attempt.words


class Refusing(LocalDatabases):
    """A machine on which the repair does not run."""

    def run_file(self, persist: Path, path: Path) -> int:
        if persist.name == "given_back":
            raise ProjectError("SQLite refuses it: no.", hint=path.name)
        return super().run_file(persist, path)


async def test_a_repair_that_does_not_run_here_is_said(walked: Walked) -> None:
    bench = await walked("restored")
    bench.local = Refusing(UUID)
    bench.opened()

    attempt = await bench.step("restored")

    assert attempt.status is Status.PROVED
    assert attempt.facts["gives_back"] == {
        "runs": False,
        "whole": False,
        "words": "SQLite refuses it: no.",
    }
    assert not list(bench.folder.rglob("given_back.sql"))
    await bench.walk("way_back")
    (prompt,) = bench.session.prompts(bench.session.checklist.step("way_back"))[:1]
    assert "table restore" not in prompt.choices


async def test_what_the_migration_takes_is_given_back_whole(walked: Walked) -> None:
    bench = await walked("restored")

    attempt = await bench.step("restored")

    gives = attempt.facts["gives_back"]
    assert isinstance(gives, dict)
    assert (gives["runs"], gives["whole"], gives["rows"]) == (True, True, 1)
    assert attempt.words == "2 rows in 1 table restored, identical value for value."
    assert attempt.facts["export_words"] == "The export loads too."


@pytest.mark.parametrize("answer", [{}, {"bookmark": ""}, {"bookmark": 7}, []])
async def test_no_bookmark_is_no_pass(walked: Walked, answer: object) -> None:
    bench = await walked("bookmark", ADDITIVE, "additive")
    bench.target.instead["bookmark"] = lambda ran: replied(ran.argv, answer)

    attempt = await bench.step("bookmark")

    assert (attempt.status, attempt.words) == (
        Status.UNKNOWN,
        "wrangler gave no bookmark. Run the step again.",
    )


async def test_a_bookmark_is_good_as_long_as_the_plan_reaches_back(walked: Walked) -> None:
    bench = await walked(
        "bookmark", ADDITIVE, "additive", settings=Settings(data=Data(time_travel_days=30))
    )

    attempt = await bench.step("bookmark")

    assert attempt.facts["bookmark"] == "00000001-bookmark"
    assert str(attempt.facts["good_until"]).startswith("2026-12-23T")


async def test_a_refused_bookmark_is_no_pass(walked: Walked) -> None:
    bench = await walked("bookmark", ADDITIVE, "additive")
    bench.target.instead["bookmark"] = lambda ran: replace(ran, exit_code=1)

    assert not (await bench.step("bookmark")).status.is_answered

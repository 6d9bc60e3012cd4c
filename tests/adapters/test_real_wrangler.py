"""Running wrangler, a fake and the real one: evidence, privacy, environment."""

import asyncio
import hashlib
import json
import os
import stat
from pathlib import Path

import pytest

from adapters.fake_wrangler import Act, toolchain, until, wrangler_playing
from d1_preflight.adapters.wrangler.runner import RealWrangler, command_environment
from d1_preflight.adapters.wrangler.toolchain import Source, Toolchain
from d1_preflight.core.errors import ProjectError, UsageError, WranglerUnavailable
from d1_preflight.core.target.wrangler_output import explain_failure, parse_execute

CONFIG = """{
  "name": "shop", "compatibility_date": "2026-01-01",
  "d1_databases": [{ "binding": "DB", "database_name": "shop-db",
    "database_id": "11111111-1111-1111-1111-111111111111" }]
}"""


async def test_evidence_is_saved_and_its_hashes_are_those_of_the_files(tmp_path: Path) -> None:
    wrangler = wrangler_playing(tmp_path, {"out": "a\n\x1b[1mb\x1b[0m\n"}, {"err": "c\n"})
    evidence = await wrangler.run(("d1", "info"), cwd=tmp_path, keep="03-info")
    assert evidence.argv == ("wrangler", "d1", "info")
    for name, digest in evidence.files.items():
        data = (tmp_path / "record" / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == digest
    assert (tmp_path / "record/evidence/03-info.out").read_text() == "a\nb\n"
    assert (tmp_path / "record/evidence/03-info.err").read_text() == "c\n"


async def test_a_write_whose_output_cannot_be_kept_is_still_told_as_it_ended(
    tmp_path: Path,
) -> None:
    """What it did to the target is looked at next; an error here would hide that it ran."""
    (tmp_path / "record").mkdir()
    (tmp_path / "record/evidence").write_text("a file where the folder should be")
    said: list[str] = []
    wrangler = wrangler_playing(tmp_path, {"out": "applied\n"})

    ran = await wrangler.run(
        (),
        cwd=tmp_path,
        keep="09-apply",
        protect=True,
        emit=lambda line, _stream: said.append(line),
    )

    assert (ran.exit_code, ran.files, ran.stdout) == (0, {}, "applied\n")
    assert "cannot be written" in said[-1]
    assert (tmp_path / "private/09-apply.out").read_text() == "applied\n"
    with pytest.raises(ProjectError, match="cannot be written"):
        await wrangler.run((), cwd=tmp_path, keep="10-read")


async def test_the_caller_gets_the_output_byte_for_byte(tmp_path: Path) -> None:
    text = '[{"url": "https://x.test/?a=1&b=@c.d", "odd": "\u202e\ufeff\x85"}]\r\n'
    evidence = await wrangler_playing(tmp_path, {"out": text}).run((), cwd=tmp_path)
    assert evidence.stdout == text


async def test_nothing_is_kept_of_a_command_that_prints_rows(tmp_path: Path) -> None:
    wrangler = wrangler_playing(tmp_path, {"out": "a row"})
    evidence = await wrangler.run((), cwd=tmp_path)
    assert (evidence.stdout, evidence.files) == ("a row", {})
    assert files_in(tmp_path) == []


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_raw_output_lies_where_only_we_can_read(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    wrangler = wrangler_playing(tmp_path, {"touch": str(seen)}, {"out": "x\n"})
    modes: list[int] = []

    def look(_line: str, _stream: str) -> None:
        modes.extend(path.stat().st_mode for path in (tmp_path / "private").iterdir())

    await wrangler.run((), cwd=tmp_path, keep="01-x", emit=look)
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o700
    assert [stat.S_IMODE(mode) for mode in modes] == [0o600] * 3  # out, err, what is run


async def test_a_cancelled_read_leaves_evidence_but_nothing_raw(tmp_path: Path) -> None:
    begun, never = tmp_path / "begun", tmp_path / "never"
    acts: list[Act] = [{"out": "half\n"}, {"touch": str(begun)}, {"wait": str(never)}]
    wrangler = wrangler_playing(tmp_path, *acts)
    task = asyncio.create_task(wrangler.run((), cwd=tmp_path, keep="01-x"))
    await until(begun.exists)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files_in(tmp_path / "private") == []
    assert (tmp_path / "record/evidence/01-x.out").read_text() == "half\n"


@pytest.mark.parametrize("keep", ["../x", "a/b", ""])
async def test_evidence_stays_in_its_folder(tmp_path: Path, keep: str) -> None:
    with pytest.raises(UsageError):
        await wrangler_playing(tmp_path).run((), cwd=tmp_path, keep=keep)


async def test_the_environment_is_quiet_and_cannot_swallow_the_json(tmp_path: Path) -> None:
    names = ["CI", "WRANGLER_LOG", "WRANGLER_HIDE_BANNER", "WRANGLER_SEND_METRICS", "NO_COLOR"]
    wrangler = wrangler_playing(tmp_path, {"env": names}, WRANGLER_LOG="error")
    evidence = await wrangler.run((), cwd=tmp_path)
    assert json.loads(evidence.stdout) == {
        "CI": "1",
        "WRANGLER_LOG": None,
        "WRANGLER_HIDE_BANNER": "true",
        "WRANGLER_SEND_METRICS": "false",
        "NO_COLOR": "1",
    }


def test_the_chosen_node_comes_first(tmp_path: Path) -> None:
    chain = Toolchain(("x",), "4.164.0", Source.PATH, tmp_path, node=Path("/opt/node/bin/node"))
    assert command_environment({"PATH": "/usr/bin"}, chain)["PATH"] == "/opt/node/bin:/usr/bin"


async def test_a_program_that_cannot_start_is_said_to_be_unavailable(tmp_path: Path) -> None:
    chain = Toolchain((str(tmp_path / "gone"),), "4.164.0", Source.SETTING, tmp_path)
    wrangler = RealWrangler(lambda: chain, tmp_path / "e", tmp_path / "p", {})
    with pytest.raises(WranglerUnavailable) as raised:
        await wrangler.run((), cwd=tmp_path, keep="01-x")
    assert raised.value.hint
    assert files_in(tmp_path) == []


async def test_a_folder_that_is_gone_is_not_blamed_on_wrangler(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        await wrangler_playing(tmp_path).run((), cwd=tmp_path / "gone")


def test_the_version_is_told_for_the_record(tmp_path: Path) -> None:
    wrangler = RealWrangler(lambda: toolchain(tmp_path), tmp_path, tmp_path, {})
    assert wrangler.version == "4.164.0"


async def test_a_command_too_long_for_the_system_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too long"):
        await wrangler_playing(tmp_path).run(("--command=" + "x" * 3_000_000,), cwd=tmp_path)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "migrations").mkdir(parents=True)
    (folder / "wrangler.jsonc").write_text(CONFIG)
    return folder


@pytest.fixture
def wrangler(
    tmp_path: Path, wrangler_command: Toolchain, quiet_environ: dict[str, str]
) -> RealWrangler:
    evidence, private = tmp_path / "evidence", tmp_path / "private"
    return RealWrangler(lambda: wrangler_command, evidence, private, quiet_environ)


def config(project: Path) -> str:
    return f"--config={project / 'wrangler.jsonc'}"


@pytest.mark.wrangler
async def test_the_real_wrangler_answers_many_statements_in_one_call(
    project: Path, wrangler: RealWrangler
) -> None:
    sql = "--command=SELECT 'ä [b]' AS word; SELECT 1 AS one, NULL AS none"
    words = ("d1", "execute", "shop-db", "--local", "--json", config(project), sql)
    evidence = await wrangler.run(words, cwd=project, keep="01-read")
    first, second = parse_execute(evidence.stdout)
    assert (first.rows, second.rows) == (({"word": "ä [b]"},), ({"one": 1, "none": None},))
    assert evidence.exit_code == 0


@pytest.mark.wrangler
async def test_the_real_wrangler_applies_and_a_failing_file_says_why(
    project: Path, wrangler: RealWrangler
) -> None:
    (project / "migrations/0001_make_t.sql").write_text("CREATE TABLE t (id INTEGER);\n")
    (project / "migrations/0002_break_t.sql").write_text("ALTER TABLE absent ADD COLUMN x;\n")
    words = ("d1", "migrations", "apply", "shop-db", "--local", config(project))
    evidence = await wrangler.run(words, cwd=project, keep="02-apply")
    assert evidence.exit_code == 1
    assert "no such table: absent" in explain_failure(evidence).message
    ledger = ("d1", "execute", "shop-db", "--local", "--json", config(project))
    read = await wrangler.run((*ledger, "--command=SELECT name FROM d1_migrations"), cwd=project)
    assert parse_execute(read.stdout)[0].rows == ({"name": "0001_make_t.sql"},)


@pytest.mark.wrangler
async def test_the_real_wrangler_without_a_login_is_explained(
    project: Path, wrangler: RealWrangler
) -> None:
    words = ("d1", "time-travel", "info", "shop-db", "--json", config(project))
    evidence = await wrangler.run(words, cwd=project)
    assert evidence.exit_code == 1
    assert "no login" in explain_failure(evidence).message
    assert os.environ.get("HOME", "/nowhere") not in evidence.stderr

"""A record is found from where a reader of SUMMARY.md is; what vouches for it is said truly."""

import gzip
import shutil
from pathlib import Path

import pytest

from d1_preflight.cli import main
from example_record import EXAMPLE, EXAMPLE_PROJECT, EXAMPLE_SIGNERS
from sampling import sampled

COMMANDS = [
    line
    for line in (EXAMPLE / "SUMMARY.md").read_text("utf-8").splitlines()
    if line.startswith("preflight ")
]


FOLDERS = (EXAMPLE_PROJECT, EXAMPLE, EXAMPLE.parent)


@pytest.mark.parametrize(
    ("folder", "command"), sampled([(f, c) for c in COMMANDS for f in FOLDERS], 2)
)
def test_the_summarys_own_command_finds_the_record(
    folder: Path,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)

    assert main(command.split()[1:]) == 0
    assert "✓ good" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["verify", "show"])
def test_a_folder_of_records_names_them(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, str(EXAMPLE_PROJECT)]) == 0
    assert "0061_rebuild_teams_remove_deprecated" in capsys.readouterr().out


def test_every_record_below_a_folder_is_verified_and_one_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        shutil.copytree(EXAMPLE, tmp_path / "kept" / name)
        shutil.copy(EXAMPLE_SIGNERS, tmp_path / "kept" / name)

    assert main(["verify", str(tmp_path / "kept")]) == 0
    assert capsys.readouterr().out.count("✓ good") == 2
    assert main(["show", str(tmp_path / "kept")]) == 2
    assert "names 2 records" in capsys.readouterr().err


def test_where_no_record_has_the_name_those_that_are_there_are_offered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(EXAMPLE_PROJECT)

    assert main(["verify", "0062"]) == 2
    assert "Name one that is here: " in capsys.readouterr().err


def test_a_folder_that_bears_a_migrations_name_stands_for_no_other_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / "project"
    shutil.copytree(EXAMPLE_PROJECT, project)
    shutil.copytree(EXAMPLE, project / EXAMPLE.name / "of another" / "folder")
    monkeypatch.chdir(project)

    assert main(["verify", EXAMPLE.name]) == 0
    assert "of another" not in capsys.readouterr().out


def test_signers_beside_the_record_are_no_proof_of_who_signed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "attached"
    shutil.copytree(EXAMPLE, folder)
    shutil.copy(EXAMPLE_SIGNERS, folder)

    main(["verify", str(folder)])
    main(["show", str(folder)])
    found = capsys.readouterr().out

    assert found.count("where anybody can add themselves") >= 2
    assert "this checkout (" not in found


def test_a_damaged_archive_is_said_once_and_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(EXAMPLE, folder)
    shutil.copy(EXAMPLE_SIGNERS, folder)
    archive = folder / "evidence" / "outputs.tar.gz"
    archive.write_bytes(gzip.compress(b"no archive"))

    assert main(["verify", str(folder)]) == 4
    found = capsys.readouterr().out
    assert "outputs.tar.gz: is damaged or changed" in found.splitlines()[1]
    assert "is missing" not in found


def test_an_edited_record_is_said_before_what_follows_from_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "edited"
    shutil.copytree(EXAMPLE, folder)
    shutil.copy(EXAMPLE_SIGNERS, folder)
    record = folder / "record.toml"
    record.write_text(record.read_text().replace("no code has read", "all code has read", 1))

    assert main(["verify", str(folder)]) == 4
    verified = capsys.readouterr().out.splitlines()
    assert verified[1].lstrip().startswith("invalid record.toml")
    assert not any(line.split()[:1] == ["summary"] for line in verified)
    assert main(["show", str(folder)]) == 0
    assert capsys.readouterr().out.startswith("✗ not verified")

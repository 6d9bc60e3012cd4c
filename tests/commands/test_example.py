"""The shipped example verifies both ways, and any change to it is noticed."""

import argparse
import json
import shutil
import subprocess
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from d1_preflight.cli import main
from d1_preflight.commands.records import opened
from d1_preflight.core.record.file import load_record
from example_record import EXAMPLE, EXAMPLE_SIGNERS
from sampling import sampled

CHECKLISTS = Path(__file__).resolve().parents[2] / "checklists"
OPTIONS = argparse.Namespace(allowed_signers=None, checklist=None)


def test_the_example_is_good() -> None:
    found = opened(EXAMPLE, OPTIONS).verify()

    assert found.problems == ()
    assert found.facts["file"] == "the same text in this checkout"


@pytest.mark.parametrize(("name", "role"), [("go.toml", "go"), ("record.toml", "close")])
def test_plain_ssh_keygen_says_so_too(name: str, role: str) -> None:
    done = subprocess.run(
        (
            *("ssh-keygen", "-Y", "verify", "-f", str(EXAMPLE_SIGNERS)),
            *("-I", "ana@example.com", "-n", f"{role}@d1-preflight"),
            *("-s", str(EXAMPLE / f"{name}.sig")),
        ),
        input=(EXAMPLE / name).read_bytes(),
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["go.toml", "record.toml"])
def test_the_example_fits_the_shipped_schema(name: str) -> None:
    schema = json.loads((CHECKLISTS / "record.schema.json").read_text("utf-8"))

    Draft202012Validator(schema).validate(tomllib.loads((EXAMPLE / name).read_text("utf-8")))


@pytest.mark.parametrize(
    "name", sampled(sorted(p.name for p in EXAMPLE.glob("*.*") if p.is_file()), 2)
)
def test_a_changed_file_of_the_example_is_noticed(tmp_path: Path, name: str) -> None:
    copy = tmp_path / "example"
    shutil.copytree(EXAMPLE, copy)
    shutil.copy(EXAMPLE_SIGNERS, copy)
    data = (copy / name).read_bytes()
    (copy / name).write_bytes(data.replace(b"a", b"b", 1))

    assert opened(copy, OPTIONS).verify().exit_code == 4


def test_the_example_is_small_enough_to_be_read() -> None:
    sizes = {path: path.stat().st_size for path in EXAMPLE.rglob("*") if path.is_file()}

    assert all(sizes.values())
    assert len((EXAMPLE / "SUMMARY.md").read_text("utf-8").splitlines()) <= 40
    assert len((EXAMPLE / "record.toml").read_text("utf-8").splitlines()) <= 400
    assert sum(sizes.values()) <= 60_000
    assert len(sizes) <= 15
    evidence = sorted(path.name for path in sizes if path.parent.name == "evidence")
    assert evidence == ["024-go.summary.md", "outputs.tar.gz", "queries.sql.gz"]


def test_a_person_walked_the_example() -> None:
    record = load_record((EXAMPLE / "record.toml").read_bytes())
    starts = [attempt.started_at for attempt in record.attempts]

    assert starts[-1] - starts[0] > timedelta(minutes=2)
    assert len(set(starts)) > len(starts) // 2
    assert not any("in a test" in attempt.words for attempt in record.attempts)


def test_show_begins_as_the_summary_of_the_example_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["show", str(EXAMPLE), "--format", "md"]) == 0

    shown = capsys.readouterr().out
    title, *lines = (EXAMPLE / "SUMMARY.md").read_text("utf-8").splitlines()
    told = [line for line in lines if line and "closed:" not in line and "undone by" not in line]
    assert shown.startswith(f"{title}\n\n**applied and kept (practice database)**\n\n- **lost**: ")
    assert all(line in shown for line in told)

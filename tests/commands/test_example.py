"""The shipped example verifies both ways, and any change to it is noticed."""

import argparse
import json
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from d1_preflight.commands.records import opened

CHECKLISTS = Path(__file__).resolve().parents[2] / "checklists"
EXAMPLE = CHECKLISTS / "example"
OPTIONS = argparse.Namespace(allowed_signers=None, checklist=None)


def test_the_example_is_good() -> None:
    found = opened(EXAMPLE, OPTIONS).verify()

    assert found.problems == ()
    assert found.facts["file"] == "the same as here"


@pytest.mark.parametrize(("name", "role"), [("go.toml", "go"), ("record.toml", "close")])
def test_plain_ssh_keygen_says_so_too(name: str, role: str) -> None:
    done = subprocess.run(
        (
            *("ssh-keygen", "-Y", "verify", "-f", str(EXAMPLE / "allowed_signers")),
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


@pytest.mark.parametrize("name", [p.name for p in EXAMPLE.glob("*.*") if p.is_file()])
def test_a_changed_file_of_the_example_is_noticed(tmp_path: Path, name: str) -> None:
    copy = tmp_path / "example"
    shutil.copytree(EXAMPLE, copy)
    data = (copy / name).read_bytes()
    (copy / name).write_bytes(data.replace(b"a", b"b", 1))

    assert opened(copy, OPTIONS).verify().exit_code == 4

"""The README keeps its word: its pictures are there, its settings and its example are real."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from d1_preflight.core.project.settings import load_settings
from settings_table import settings_table

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def between(mark: str) -> str:
    found = re.search(rf"<!-- {mark} -->\n(.*?)<!-- /{mark} -->", TEXT, re.DOTALL)
    assert found, mark
    return found[1]


def test_every_picture_is_there() -> None:
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", TEXT)

    assert pictures
    assert not [path for path in pictures if not (ROOT / path).is_file()]


def test_the_settings_table_is_the_programs_own() -> None:
    assert between("settings").strip() == settings_table().strip()


def test_the_settings_shown_are_accepted() -> None:
    shown = re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL)

    assert shown
    assert load_settings(shown[1]).users.timezones


@pytest.mark.parametrize("line", [c for c in between("example").splitlines() if "ssh-keygen" in c])
def test_the_example_verifies_with_stock_tools_as_shown(line: str) -> None:
    command, _, document = line.partition("<")
    folder = ROOT / "checklists" / "example"

    done = subprocess.run(
        shlex.split(command), input=(folder / document.strip()).read_bytes(), cwd=folder,
        capture_output=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr

"""The README keeps its word: its pictures are there, its settings and its example are real."""

import re
import shlex
import subprocess
import tempfile
from pathlib import Path

import pytest

from d1_preflight.cli import whole_parser
from d1_preflight.core.project.settings import load_settings
from example_record import EXAMPLE
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
    folder = EXAMPLE

    done = subprocess.run(
        shlex.split(command), input=(folder / document.strip()).read_bytes(), cwd=folder,
        capture_output=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr


def test_the_second_command_is_the_one_that_ci_runs() -> None:
    commands = re.search(r"```sh\n(.*?)```", section("Two commands"), re.DOTALL)
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert commands
    assert [line.split()[0] for line in commands[1].splitlines()] == ["python3", ".venv/bin/pytest"]
    assert r"s/^\(\.venv\/bin\/pytest.*\)$/\1/p" in script


def section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE)
    assert found, title
    return found[1]


def test_no_line_installs_what_is_not_published() -> None:
    installs = re.findall(r"pip install[^`\n]*", TEXT)

    assert installs
    assert all(re.search(r"-e '|/path/to/|\./d1-preflight", line) for line in installs), installs


@pytest.mark.parametrize(
    "line",
    sorted(
        {
            line.partition("#")[0].partition(">")[0].strip()
            for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
            for line in block.splitlines()
            if re.match(r"\S*preflight ", line)
        }
    ),
)
def test_the_commands_shown_are_understood(line: str) -> None:
    words = shlex.split(line)[1:]

    assert whole_parser().parse_args(words).run


def sources() -> str:
    files = (ROOT / "app").rglob("*.py")
    joined = "".join(path.read_text("utf-8") for path in files)
    return re.sub(r'"\s*\n\s*f?"', "", joined)


def test_the_messages_that_are_explained_are_those_of_the_program() -> None:
    said = re.findall(r"^\| \*(.+?)\* \|", section("When it says …"), re.MULTILINE)
    whole = sources()
    pieces = [part.strip(" “”") for message in said for part in message.split("…")]

    assert len(said) > 6
    assert not [part for part in pieces if part and part not in whole]


def test_the_moving_picture_moves_is_small_and_loads_nothing() -> None:
    movie = (ROOT / "screenshots" / "walk.svg").read_text("utf-8")

    assert len(movie.encode()) <= 300_000
    assert movie.count('class="frame"') >= 6
    assert "@keyframes" in movie
    assert "prefers-reduced-motion" in movie
    assert not re.search(r"<script|url\(\s*['\"]?http|href=['\"]?http", movie)
    places = (ROOT, Path.home(), Path(tempfile.gettempdir()))
    assert not [place for place in places if f"{place}/" in movie]


def test_the_map_of_the_source_document_is_at_the_end() -> None:
    last = TEXT.rpartition("\n## ")[2]

    assert last.startswith("Where the checklist of the source document lives")
    assert "| Core constraints table |" in last

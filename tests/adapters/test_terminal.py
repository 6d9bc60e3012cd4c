"""Commands of the emergency card: what is really started, and what the timeline keeps."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from d1_preflight.adapters.terminal import Cockpit, Timeline
from d1_preflight.core.errors import NotAllowed, ProjectError, WranglerUnavailable

NOON = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
NOTES = "import os, sys; open('seen', 'w').write(' '.join(sys.argv[1:]) + os.environ['MARK']);"


def cockpit(folder: Path, code: int = 0, program: str = sys.executable) -> Cockpit:
    (folder / "project").mkdir(exist_ok=True)
    return Cockpit(
        {"wrangler": (program, "-c", f"{NOTES} sys.exit({code})")},
        folder / "project",
        {"MARK": "!"},
        Timeline(folder / "record" / "timeline.md", "0061 on shop-db", lambda: NOON),
        "ana@example.com",
        lambda _words: None,
        lambda: None,
    )


@pytest.mark.parametrize("code", [0, 1])
def test_it_runs_in_the_project_and_both_ends_are_noted(tmp_path: Path, code: int) -> None:
    ended = cockpit(tmp_path, code).run("wrangler d1 info 'shop db'")

    assert ended == f"exit code {code}"
    assert (tmp_path / "project" / "seen").read_text() == "d1 info shop db!"
    lines = (tmp_path / "record" / "timeline.md").read_text().splitlines()
    assert lines[0] == "# Timeline of an emergency: 0061 on shop-db"
    moment = "- 2026-11-25 12:00:00  ana@example.com "
    assert [line.rpartition("  #")[0] for line in lines[-2:]] == [
        f"{moment} begins `wrangler d1 info 'shop db'`",
        f"{moment} ended `wrangler d1 info 'shop db'`: exit code {code}",
    ]


def test_nothing_else_is_run(tmp_path: Path) -> None:
    with pytest.raises(NotAllowed):
        cockpit(tmp_path).run("rm -rf .")


def test_what_cannot_start_is_said_and_noted(tmp_path: Path) -> None:
    with pytest.raises(WranglerUnavailable, match="could not be started"):
        cockpit(tmp_path, program=str(tmp_path / "none")).run("wrangler whoami")
    assert "could not start" in (tmp_path / "record" / "timeline.md").read_text()


def test_what_cannot_be_noted_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "record").write_text("a file where the folder should be")

    with pytest.raises(ProjectError, match="cannot be written"):
        cockpit(tmp_path).run("wrangler whoami")
    assert not (tmp_path / "project" / "seen").exists()


def test_what_is_no_emergency_is_not_noted(tmp_path: Path) -> None:
    assert cockpit(tmp_path).run("wrangler whoami", noted=False) == "exit code 0"
    assert not (tmp_path / "record").exists()

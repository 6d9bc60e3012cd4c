"""The timeline of a checkout is a regular file of it: nothing else is read or added to."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from d1_preflight.adapters.terminal import Timeline
from d1_preflight.core.errors import ProjectError


@pytest.fixture
def timeline(tmp_path: Path) -> Timeline:
    (tmp_path / "ci" / ".git").mkdir(parents=True)
    (tmp_path / "ci" / "record").mkdir()
    path = tmp_path / "ci" / "record" / "timeline.md"
    return Timeline(path, "0061 on shop-db", lambda: datetime(2026, 11, 23, 12, tzinfo=UTC))


def test_a_line_is_added_to_what_is_there(timeline: Timeline) -> None:
    timeline.note("ana", "wrangler d1 info")
    timeline.note("ana", "wrangler tail")
    text = timeline.path.read_text()
    assert text.index("d1 info") < text.index("tail")


def test_the_questions_for_people_lie_beside_it_whole_and_are_never_replaced(
    timeline: Timeline,
) -> None:
    notes = timeline.path.with_name("postmortem.md")

    timeline.note("ana", "wrangler d1 info")
    assert "Why did the rehearsal not show it?" in notes.read_text()
    notes.write_text("Nothing.\n")
    timeline.path.unlink()
    timeline.note("ana", "wrangler d1 info")

    assert notes.read_text() == "Nothing.\n"
    assert sorted(path.name for path in notes.parent.iterdir()) == ["postmortem.md", "timeline.md"]


@pytest.mark.parametrize("kind", ["fifo", "device", "outside", "link", "folder", "dangling"])
def test_nothing_else_is_read_or_written(timeline: Timeline, kind: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside.md"
    outside.write_text("mine\n")
    match kind:
        case "fifo":
            os.mkfifo(timeline.path)
        case "device":
            timeline.path.symlink_to("/dev/zero")
        case "outside":
            timeline.path.symlink_to(outside)
        case "link":
            (tmp_path / "ci" / "README.md").write_text("theirs\n")
            timeline.path.symlink_to(tmp_path / "ci" / "README.md")
        case "folder":
            timeline.path.mkdir()
        case _:
            timeline.path.symlink_to(tmp_path / "new.md")

    with pytest.raises(ProjectError, match="cannot be written"):
        timeline.note("ana", "wrangler d1 info")

    assert outside.read_text() == "mine\n"
    assert not (tmp_path / "new.md").exists()

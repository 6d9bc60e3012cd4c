"""Of a checkout only regular files inside of it are read, and no longer than is sensible."""

import os
import re
from pathlib import Path

import pytest

from d1_preflight.adapters.regular_file import read_file, read_regular

APP = Path(__file__).resolve().parents[2] / "app" / "d1_preflight"
READS = re.compile(r"\.read_(?:text|bytes)\(|\.open\(\"r?b\"\)|os\.O_RDONLY")
OURS = {
    "adapters/system.py": "the id of this boot, which the kernel writes",
    "adapters/work_limit.py": "what the kernel writes of this process",
    "adapters/regular_file.py": "the one that reads",
    "adapters/git/door.py": ".git, which no pull request brings: 4,096 bytes of it",
    "adapters/code_cache.py": "the cache, and files that were found as regular",
    "adapters/working_tree.py": "the reader of code, which follows no link",
    "adapters/store.py": "a folder that is synced",
    "adapters/ssh/keys.py": "the key that it has made",
    "adapters/own_cache.py": "the user's cache, which follows no link and waits for no pipe",
    "adapters/row_copies.py": "the workspace",
    "adapters/wrangler/evidence.py": "the workspace",
    "adapters/wrangler/staged_config.py": "the workspace",
    "actions/data_safety.py": "the workspace",
    "core/checklist/definitions.py": "what ships",
    "tui/theme.py": "what ships",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "ci" / ".git").mkdir(parents=True)
    (tmp_path / "ci" / "apps" / "api").mkdir(parents=True)
    (tmp_path / "ci" / "shared.toml").write_text("a = 1")
    (tmp_path / "outside.toml").write_text("b = 1")
    return tmp_path / "ci"


def test_a_link_is_followed_within_the_checkout(tree: Path) -> None:
    path = tree / "apps" / "api" / "preflight.toml"
    path.symlink_to("../../shared.toml")
    assert read_file(path) == b"a = 1"


@pytest.mark.parametrize("to", ["../../../outside.toml", "/etc/passwd", "/dev/zero", "nowhere"])
def test_a_link_that_leads_out_is_not(tree: Path, to: str) -> None:
    path = tree / "apps" / "api" / "preflight.toml"
    path.symlink_to(to)
    with pytest.raises(OSError, match=r"leads out|No such file"):
        read_file(path)


def test_a_folder_that_leads_out_is_not(tree: Path) -> None:
    (tree.parent / "other").mkdir()
    (tree.parent / "other" / "d1.toml").write_text("a = 1")
    (tree / "checklists").symlink_to("../other")
    with pytest.raises(OSError, match="leads out"):
        read_file(tree / "checklists" / "d1.toml")


def test_without_a_checkout_a_link_stays_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "outside.toml").write_text("b = 1")
    (tmp_path / "project" / "inside.toml").write_text("a = 1")
    (tmp_path / "project" / "out").symlink_to("../outside.toml")
    (tmp_path / "project" / "in").symlink_to("inside.toml")
    (tmp_path / "way").symlink_to("project")
    with pytest.raises(OSError, match="leads out"):
        read_file(tmp_path / "project" / "out")
    assert read_file(tmp_path / "way" / "in") == b"a = 1"


def test_a_pipe_a_device_and_a_folder_are_no_files(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    for path in (tree / "pipe", tree / "apps", Path("/dev/zero")):
        with pytest.raises(OSError, match="not a regular file"):
            read_file(path)
        assert read_regular(path) is None


def test_a_long_file_is_refused_whole_and_a_small_text_cut(tree: Path) -> None:
    with pytest.raises(OSError, match="longer than 4 bytes"):
        read_file(tree / "shared.toml", 4)
    assert read_regular(tree / "shared.toml", 4) == "a = "


def test_everything_else_that_reads_a_file_is_known() -> None:
    found = {
        path.relative_to(APP).as_posix()
        for path in APP.rglob("*.py")
        if READS.search(path.read_text()) and "practice" not in path.parts
    }
    assert found == OURS.keys()

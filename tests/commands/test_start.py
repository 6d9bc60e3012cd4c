"""What a start imports: a command loads only what it uses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lint.running import preflight

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "app" / "d1_preflight" / "practice" / "sample" / "migrations"
FACES = {"textual", "rich", "questionary", "prompt_toolkit", "httpx", "asyncio"}
ENGINES = {"sqlglot", "tree_sitter", "apsw"}
LATE = {"platform", "traceback", "difflib", "zoneinfo", "platformdirs", "tempfile", "shutil"}
SLOW = {"dataclasses", "inspect", "textwrap", "tomli_w", "gzip"}
RUN = """
import json, sys
from d1_preflight.cli import main
code = main(sys.argv[1:])
print(json.dumps([code, sorted(sys.modules)]))
"""


def loaded(tmp_path: Path, *words: str) -> set[str]:
    """The modules after a command that finds all good."""
    env = {k: v for k, v in os.environ.items() if k not in {"CI", "PREFLIGHT_NO_CACHE"}}
    env["XDG_CACHE_HOME"] = str(tmp_path)
    command = (sys.executable, "-c", RUN, *words)
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    code, names = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stderr
    return set(names)


def test_lint_of_a_plain_file_loads_no_face_and_no_parser(tmp_path: Path) -> None:
    found = loaded(tmp_path, "lint", str(SAMPLE / "0057_add_team_billing_columns.sql"))

    assert found & (FACES | ENGINES | LATE | SLOW) == {"apsw"}  # the engine


VERIFY = ("verify", str(ROOT / "checklists" / "example"))


@pytest.mark.matrix  # the suite has it of lint, above, and where a verdict is kept, below
def test_verify_loads_no_face_and_no_engine(tmp_path: Path) -> None:
    found = loaded(tmp_path, *VERIFY)

    assert found & (FACES | {"sqlglot", "tree_sitter"}) == set()


@pytest.mark.matrix  # as the one above
def test_verify_without_a_cache_loads_no_face_and_no_engine(tmp_path: Path) -> None:
    found = loaded(tmp_path, *VERIFY, "--no-cache")

    assert found & (FACES | {"sqlglot", "tree_sitter"}) == set()


def test_verify_of_what_is_kept_loads_nothing_that_judges_or_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CI", "PREFLIGHT_NO_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert preflight(*VERIFY).code == 0  # keeps what it finds

    found = loaded(tmp_path, *VERIFY)

    judging = {"d1_preflight.core.verify.verify", "d1_preflight.adapters.ssh.sshsig"}
    writing = {"d1_preflight.adapters.store", "subprocess"}
    assert found & (ENGINES | LATE | SLOW | judging | writing) == set()


BOARD = "import sys, d1_preflight.project_context, d1_preflight.board, d1_preflight.tui.app"


@pytest.mark.matrix  # the suite has it of commands, above
def test_the_board_paints_without_what_a_walk_needs() -> None:
    command = (sys.executable, "-c", f"{BOARD}; print(*sys.modules)")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = set(done.stdout.split())

    walk = {"d1_preflight.session", "d1_preflight.report", "d1_preflight.core.rules"}
    assert found & (walk | {"sqlglot", "httpx", "questionary", "tree_sitter"}) == set()

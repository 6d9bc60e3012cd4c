"""No file of a checkout stops us, takes all memory, or ends a command with a crash."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.hostile_files import FILES, FLOODS, project
from sampling import sampled

MOST_MB = 300
PATIENCE_S = 240
CHILD = """
import contextlib, io, json, resource, sys
from d1_preflight.cli import main
codes, told = {}, ""
for words in json.loads(sys.argv[1]):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            codes[words[0]] = main(words)
        except SystemExit as ended:
            codes[words[0]] = ended.code
    told += out.getvalue()[-2000:]
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([codes, most // (1024 * 1024 if sys.platform == "darwin" else 1024), told]))
"""
COMMANDS = (["lint"], ["doctor"], ["verify"], ["show", "0061"])
COUNTS: dict[str, tuple[int, int]] = {}
"""For each kind of file: hangs, and the most memory in MB."""


@pytest.fixture(autouse=True, scope="module")
def counts() -> Iterator[None]:
    yield
    hangs = sum(hung for hung, _ in COUNTS.values())
    over = sum(most > MOST_MB for _, most in COUNTS.values())
    most, kind = max(((most, name) for name, (_, most) in COUNTS.items()), default=(0, "none"))
    print(f"{len(COUNTS)} kinds of files: hangs {hangs}, over {MOST_MB} MB {over}")
    print(f"the most memory of one command: {most} MB ({kind})")


def limited() -> None:
    """What a child may take before the machine stops it: more than it should."""
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    resource.setrlimit(resource.RLIMIT_AS, (2_000_000_000, 2_000_000_000))


@pytest.mark.parametrize("name", sampled(FILES, 8, FILES))
def test_every_file_is_bounded(name: str, tmp_path: Path) -> None:
    root = project(tmp_path / "ci")
    FILES[name](root)
    words = COMMANDS[:1] if name in FLOODS else COMMANDS
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": "",
        "LANG": "C.UTF-8",
    }
    with (tmp_path / "said").open("w+b") as said:
        child = subprocess.Popen(
            (sys.executable, "-c", CHILD, json.dumps(words)),
            cwd=root, env=environ, stdout=said, stderr=said, preexec_fn=limited,  # noqa: PLW1509
        )  # fmt: skip
        try:
            child.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            COUNTS[name] = (1, 0)
            raise
        said.seek(0)
        found = said.read().decode(errors="replace")
    assert child.returncode == 0, found[-2000:]
    codes, megabytes, told = json.loads(found)
    COUNTS[name] = (0, megabytes)
    assert 70 not in codes.values(), (codes, told)
    assert megabytes <= MOST_MB, codes
    assert "root:" not in told, "the contents of a file outside of the checkout"

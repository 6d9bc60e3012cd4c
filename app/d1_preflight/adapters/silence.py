"""Asks programs that may never answer, and remembers those that did not: no second wait for them.

A hanging program would otherwise cost its whole limit at each draw of a screen. The memory is the
process's; a program that was replaced since is another one, and is asked again.
"""

from collections.abc import Callable
from pathlib import Path

from d1_preflight.adapters.processes import TOO_SLOW, Answer, ask

_Key = tuple[str, ...]


class Silent:
    """What did not answer in time, by key."""

    def __init__(self) -> None:
        self._known: dict[_Key, Answer] = {}

    def ask(self, key: _Key, question: Callable[[], Answer]) -> Answer:
        """Ask, unless what the key names kept silent before: then that is the answer again."""
        if known := self._known.get(key):
            return known
        answer = question()
        if answer.exit_code == TOO_SLOW:
            self._known[key] = answer
        return answer


SILENT = Silent()


def ask_version(program: Path, timeout: float) -> Answer:
    """What a program answers to --version; asked once where it keeps silent."""
    there = program.stat() if program.exists() else None
    key = (str(program), *((str(there.st_mtime_ns), str(there.st_ino)) if there else ()))
    # At the root: a version manager's shim would read which version a checkout asks for.
    return SILENT.ask(key, lambda: ask(str(program), "--version", cwd=Path("/"), timeout=timeout))

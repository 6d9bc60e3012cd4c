"""A practice project of its own for a test: laid down once, copied, and served."""

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from d1_preflight.practice import project
from d1_preflight.practice.server import Server


@contextmanager
def served(directory: Path) -> Iterator[Server]:
    """The stand-in on a copy of the sample project, until the test ends."""
    shutil.copytree(laid_down(), directory)
    running = Server(directory / project.STATE).start()
    try:
        yield running
    finally:
        running.close()


@cache
def laid_down() -> Path:
    """What is copied: to invent the sample's 20,000 rows takes a quarter of a second."""
    scratch = Path(tempfile.mkdtemp(prefix="practice-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    project.lay_down(scratch / "project")
    return scratch / "project"

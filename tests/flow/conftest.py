"""A practice run a test, with the real wrangler pointed at it."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from d1_preflight.adapters.git.door import ask_git
from d1_preflight.adapters.wrangler.toolchain import Toolchain
from d1_preflight.practice.faults import Fault
from d1_preflight.practice.run import Practice, start
from d1_preflight.project_context import ProjectContext, open_context

OpenPractice = Callable[..., tuple[ProjectContext, Practice]]


@pytest.fixture
def practice(tmp_path: Path, wrangler_command: Toolchain) -> Iterator[OpenPractice]:
    """Opens practice runs in a folder of the test's own; stops them at its end."""
    with ExitStack() as stack:

        def open_practice(next_one: str, *faults: str) -> tuple[ProjectContext, Practice]:
            folder = tmp_path / "project"
            parsed = [Fault.parse(fault) for fault in faults]
            running = stack.enter_context(
                start(folder, next=next_one, faults=parsed, ask_git=ask_git)
            )
            environ = {"PATH": os.environ["PATH"], **running.environment}
            context = open_context(start=folder, environ=environ, target="practice")
            return replace(context, _toolchain=wrangler_command), running

        yield open_practice

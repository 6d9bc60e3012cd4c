"""Fixtures for every test: the real wrangler, installed once a session."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import settings

from d1_preflight.adapters.toolchain import Toolchain, install

# A deadline measures how busy the machine is, not the code.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


@pytest.fixture(scope="session")
def wrangler_command() -> Toolchain:
    """The pinned wrangler in this user's cache; installed when it is not there yet."""
    return asyncio.run(install(print))


@pytest.fixture
def quiet_environ(tmp_path: Path, wrangler_command: Toolchain) -> dict[str, str]:
    """An environment without credentials and with a home of its own, for the real wrangler."""
    home = tmp_path / "home"
    home.mkdir()
    node = wrangler_command.node
    return {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "TMPDIR": str(home),
        "PATH": f"{node.parent}:/usr/bin:/bin" if node else "/usr/bin:/bin",
    }

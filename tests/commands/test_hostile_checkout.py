"""Of a checkout under judgement nothing is run, and nothing it brings hides a migration."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.hostile import VARIANTS, Checkout, git
from lint.running import preflight

OF_EACH_KIND = {
    "bare repository in migrations",
    "GIT_CONFIG_COUNT in the environment",
    "branch named like the base",
}
COUNTS: dict[str, tuple[int, int]] = {}


@pytest.fixture(autouse=True, scope="module")
def counts() -> Iterator[None]:
    yield
    for name, (executed, hidden) in COUNTS.items():
        print(f"{name:<42} executed {executed}  hidden {hidden}")
    print(f"{len(COUNTS)} variants: executed {sum(e for e, _ in COUNTS.values())}, ", end="")
    print(f"hidden {sum(h for _, h in COUNTS.values())}")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in os.environ:
        if name.startswith(("GIT_", "GITHUB_", "CLOUDFLARE_", "SSH_")):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    return folder


def ran(ci: Checkout) -> bool:
    """Whether the stranger's command ran since this was last asked."""
    there = ci.marker.exists()
    ci.marker.unlink(missing_ok=True)
    return there


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in OF_EACH_KIND else pytest.mark.matrix)
        for name in VARIANTS
    ],
)
def test_nothing_runs_and_nothing_is_hidden(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ci = VARIANTS[name](tmp_path / "a")
    ran(ci)
    if ci.naive:
        git(ci.worker / ci.naive_in, *ci.naive, environ=dict(ci.environ) or {"X": ""})
        assert ran(ci), "the trap does not work: plain git does not run it"
    monkeypatch.chdir(ci.worker)
    for key, value in ci.environ.items():
        monkeypatch.setenv(key, value)
    commands = {
        "lint --base": ("lint", f"--base={ci.base}"),
        "lint": ("lint",),
        "doctor": ("doctor",),
        "verify": ("verify",),
        "show": ("show", "0061_rebuild_teams"),
        "explain": ("explain", "cascade-delete"),
        "code": ("code", f"--deployed={ci.base}"),
    }
    codes, executed = {}, []
    for what, words in commands.items():
        codes[what] = preflight(*words).code
        executed += [what] * ran(ci)
    hidden = [what for what in ("lint --base", "lint") if codes[what] == 0]
    COUNTS[name] = (len(executed), len(hidden))
    assert (executed, hidden) == ([], []), codes
    assert 70 not in codes.values(), codes

"""The terminal that is lent to a child comes back, whatever the child did."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from textual.app import App

from d1_preflight.core.errors import ProjectError
from d1_preflight.tui.terminal import Terminal


class Lending(App[None]):
    """Suspends as Textual does: it resumes only where nothing is thrown into it."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    @contextmanager
    def suspend(self) -> Iterator[None]:
        self.told.append("lent")
        yield
        self.told.append("taken back")


def test_the_terminal_comes_back_when_the_child_fails() -> None:
    app = Lending()
    with pytest.raises(ProjectError), Terminal(app):
        raise ProjectError("/nonexistent could not be started.")

    assert app.told == ["lent", "taken back"]


def test_the_terminal_can_be_lent_again_after_a_failure() -> None:
    app = Lending()
    terminal = Terminal(app)
    with pytest.raises(ProjectError), terminal:
        raise ProjectError("The passphrase is wrong.")
    with terminal:
        app.told.append("signed")

    assert app.told == ["lent", "taken back", "lent", "signed", "taken back"]

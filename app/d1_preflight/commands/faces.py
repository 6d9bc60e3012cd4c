"""Which project, and which face: what `preflight`, `run` and `practice` have in common."""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from d1_preflight.core.errors import UsageError

if TYPE_CHECKING:
    from d1_preflight.project_context import ProjectContext


def add_project_arguments(parser: argparse.ArgumentParser, *, first: bool = False) -> None:
    """Where the project is, as wrangler names it; these options go before or after the command.

    `first`: the program's own parser, which holds the defaults. A command's parser must have none,
    or it would overwrite what was said before the command.
    """
    absent = argparse.SUPPRESS
    parser.add_argument(
        "--config", type=Path, default=None if first else absent,
        help="the wrangler configuration, if it is not found",
    )  # fmt: skip
    parser.add_argument(
        "--env", default=None if first else absent, help="the environment of the configuration"
    )
    parser.add_argument(
        "--database", default="" if first else absent,
        help="name or binding, where there are several",
    )  # fmt: skip


def add_face_arguments(parser: argparse.ArgumentParser) -> None:
    """Which face asks the questions."""
    parser.add_argument(
        "--plain", action="store_true", help="ask one question at a time, without a screen"
    )


def show(context: "ProjectContext", *, name: str = "", plain: bool = False) -> int:
    """Open the board, or one migration, in the chosen face."""
    if plain:
        return _show_plain(context, name)
    _need_terminal()
    from d1_preflight.adapters.editor import edit
    from d1_preflight.adapters.system import open_in_browser
    from d1_preflight.board import Board
    from d1_preflight.tui.app import PreflightApp

    zone = ZoneInfo(context.project.settings.team.timezone)
    browse = partial(open_in_browser, environ=context.environ)
    app = PreflightApp(Board(context), edit=edit, browse=browse, opened=name, zone=zone)
    app.run()
    if app.failure is not None:
        raise app.failure
    return app.return_code or 0


def full_name(context: "ProjectContext", wanted: str) -> str:
    """The migration that a number, a stem or a name means; UsageError where none or several do."""
    names = [file.name for file in context.files()]
    exact = [n for n in names if wanted in (n, n.removesuffix(".sql"))]
    found = exact or [n for n in names if n.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if not found:
        close = ", ".join(names[-5:]) or "none"
        raise UsageError(f"There is no migration {wanted!r}.", hint=f"The latest: {close}")
    raise UsageError(f"{wanted!r} may mean: {', '.join(found)}.", hint="Name one in full.")


def _show_plain(context: "ProjectContext", name: str) -> int:
    from d1_preflight.board import Board
    from d1_preflight.plain import walk

    if not name:
        raise UsageError(
            "The plain face walks one migration.", hint="Name it: preflight run NAME --plain"
        )
    board = Board(context)
    return walk(context.session(name), board.target(name), board)


def _need_terminal() -> None:
    named = ("stdin", "stdout", "stderr")
    other = [name for name in named if not getattr(getattr(sys, name), "isatty", bool)()]
    if other:
        raise UsageError(
            f"The screen needs a terminal, and {' and '.join(other)} "
            f"{'are' if other[1:] else 'is'} none; --plain also needs one, for its questions.",
            hint="Run it in a terminal. For scripts: preflight lint, preflight verify.",
        )

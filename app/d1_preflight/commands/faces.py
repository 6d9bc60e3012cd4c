"""Which project, and which face: what `preflight`, `run` and `practice` have in common."""

import argparse
import gc
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from d1_preflight.commands import output
from d1_preflight.core.errors import PreflightError, Undecided, UsageError, WranglerUnavailable

if TYPE_CHECKING:
    from d1_preflight.adapters.lint_sources import Sources
    from d1_preflight.adapters.project_files import OpenedProject
    from d1_preflight.plain.asker import Asker
    from d1_preflight.project_context import ProjectContext
    from d1_preflight.session import Session
    from d1_preflight.tui.app import PreflightApp
    from d1_preflight.tui.first_paint import FirstPaint


PLAIN = "PREFLIGHT_PLAIN"


def add_project_arguments(parser: argparse.ArgumentParser, *, first: bool = False) -> None:
    """Where the project is, as wrangler names it; these options go before or after the command.

    `first`: the program's own parser, which holds the defaults. A command's parser must have none,
    or it would overwrite what was said before the command.
    """
    absent = argparse.SUPPRESS
    parser.add_argument(
        "--config", type=Path, default=None if first else absent, metavar="FILE",
        help="the wrangler configuration, where it is not found by itself",
    )  # fmt: skip
    parser.add_argument(
        "--env", default=None if first else absent, metavar="NAME",
        help="the environment of the configuration",
    )  # fmt: skip
    parser.add_argument(
        "--database", default="" if first else absent, metavar="NAME",
        help="the database's name or binding, if there are several",
    )  # fmt: skip


def add_record_options(parser: argparse.ArgumentParser) -> None:
    """The options with which a stranger names what a record is verified against."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", default=argparse.SUPPRESS,
        help="the wrangler configuration it was made with, if not the project's own",
    )  # fmt: skip
    parser.add_argument(
        "--allowed-signers", type=Path, metavar="FILE", help="who may sign, in which role"
    )
    parser.add_argument(
        "--checklist", type=Path, metavar="FILE", help="the checklist the record was made with"
    )


class Named(TypedDict):
    """What the options say of the project, as those who open it take it."""

    config: Path | None
    environment: str | None
    database: str


def named(arguments: argparse.Namespace) -> Named:
    """The project that the command line names; nothing of it needs to be named."""
    return {
        "config": arguments.config,
        "environment": arguments.env,
        "database": arguments.database,
    }


def add_face_arguments(parser: argparse.ArgumentParser) -> None:
    """Which face asks the questions."""
    parser.add_argument(
        "--plain", action="store_true", help="ask one question at a time, without a screen"
    )


def first_paint(arguments: argparse.Namespace) -> "FirstPaint | None":
    """The board's rows from the file list, before anything else is loaded.

    None where there is no screen to paint on, or something must be said or asked first.
    """
    streams = (sys.stdin, sys.stdout, sys.stderr)
    on_screen = all(stream is not None and stream.isatty() for stream in streams)
    if not on_screen or plain_because(os.environ, asked=False, set_so=False):
        return None
    from d1_preflight.adapters.first_paint_cache import open_class_cache
    from d1_preflight.adapters.project_files import ProjectFiles, open_surroundings
    from d1_preflight.core.project.migration import Migration
    from d1_preflight.core.project.setting_types import WranglerUse
    from d1_preflight.tui.first_paint import FirstPaint

    try:
        opened = open_surroundings(Path.cwd(), **named(arguments))
        project = opened.project
        files = ProjectFiles(project).files()
    except PreflightError:
        return None  # whoever opens the project says it
    settings = project.settings
    if settings.face.plain or settings.wrangler.use is WranglerUse.OWN:
        return None
    place = f"{project.database.name} · {project.environment}" if project.environment else ""
    readable = [file for file in files if isinstance(file, Migration)]
    known = open_class_cache(os.environ, project.root).classes(readable)
    words, age = _remembered(opened, [file.name for file in files])
    rows = [
        (f.name, known[f.name][0] if f.name in known else "", words.get(f.name, "")) for f in files
    ]
    return FirstPaint(place or project.database.name, rows, age)


def _remembered(opened: "OpenedProject", files: Iterable[str]) -> tuple[dict[str, str], str]:
    """What the ledger said of each file when it was last read, and when that was."""
    from datetime import UTC, datetime

    from d1_preflight.adapters.first_paint_cache import open_ledger_cache
    from d1_preflight.core.format import ledger_age
    from d1_preflight.core.target.api_place import api_place

    now, place = datetime.now(UTC), api_place(opened.around.variables)
    kept = open_ledger_cache(os.environ, opened.project, place).ledger(now)
    if kept is None:
        return {}, ""
    from zoneinfo import ZoneInfo

    zone = ZoneInfo(opened.project.settings.team.timezone or "UTC")
    words = {name: "applied" if name in kept[1] else "pending" for name in files}
    return words, ledger_age(kept[0], zone, now)


def show(
    context: "ProjectContext",
    *,
    name: str = "",
    plain: bool = False,
    painted: "FirstPaint | None" = None,
) -> int:
    """Open the board, or one migration, in the chosen face; over what is `painted` already."""
    if name:
        import asyncio

        asyncio.run(context.resolve())
    if why := plain_because(
        context.environ, asked=plain, set_so=context.project.settings.face.plain
    ):
        return _show_plain(context, name, why)
    _need_terminal()
    gc.disable()  # what a start loads stays: looked for again when the screen stands
    app = _app(context, name)
    if painted is not None:
        painted.hand_over()
    app.run()
    if app.failure is not None:
        raise app.failure
    for worked_on in app.worked_on:
        output.write(_on_leaving(worked_on))
    return app.return_code or 0


def _app(context: "ProjectContext", name: str) -> "PreflightApp":
    """The screen on a project, which opens the migration of that name, if one is given."""
    from zoneinfo import ZoneInfo

    from d1_preflight.adapters.editor import edit
    from d1_preflight.adapters.first_paint_cache import (
        LedgerCache,
        open_class_cache,
        open_ledger_cache,
    )
    from d1_preflight.adapters.system import open_in_browser
    from d1_preflight.board import Board
    from d1_preflight.commands.adoption import Adoption
    from d1_preflight.tui.app import PreflightApp

    def open_ledger(on: "ProjectContext") -> LedgerCache:
        return open_ledger_cache(on.environ, on.project, on.target)

    zone = ZoneInfo(context.project.settings.team.timezone)
    browse = partial(open_in_browser, environ=context.environ)
    classes = open_class_cache(context.environ, context.project.root)
    board = Board(context, classes, open_ledger)
    return PreflightApp(
        board, edit=edit, browse=browse, adopt=Adoption(context), opened=name, zone=zone
    )


def _on_leaving(session: "Session", *, told: bool = False) -> str:
    """What whoever leaves a migration needs to know: what is wrong, and how to commit the record.

    `told` says that the face has said already what is wrong.
    """
    from shlex import quote

    from d1_preflight.core.recovery.scenarios import on_leaving
    from d1_preflight.report.text import clean

    name, folder = session.record.migration, session.folder
    said = () if told or session.closed else on_leaving(session.record, session.path)
    wrong = "".join(f"  {clean(line)}\n" for line in said)
    lies = f"The record of {name} is in {folder}\n  git add {quote(str(folder))}\n"
    return f"{name}\n{wrong}{lies}" if wrong else lies


def open_chosen(
    arguments: argparse.Namespace,
    open_asker: Callable[[], "Asker"] | None = None,
    *,
    migration: str = "",
) -> "ProjectContext":
    """The project; where several may be meant, the one that a person chooses at the terminal.

    A `migration` that is not there is refused before anything is fetched for it. A chosen
    configuration is remembered in preflight.toml; without a terminal, Undecided is raised.
    """
    from d1_preflight.core.project.setting_types import WranglerUse
    from d1_preflight.project_context import open_context

    config, database = arguments.config, arguments.database
    context = None
    while context is None:
        try:
            context = open_context(config=config, environment=arguments.env, database=database)
        except Undecided as undecided:
            chosen = _choose(undecided, open_asker)
            if undecided.option == "--config":
                config = _remember(undecided.home, chosen)
            else:
                database = chosen
    if migration:
        full_name(context, migration)
    if context.project.settings.wrangler.use is WranglerUse.OWN:
        need_wrangler(context)
    return context


def need_wrangler(context: "ProjectContext") -> None:
    """Install the pinned wrangler into the user's cache where none is found."""
    import asyncio

    from d1_preflight.adapters.wrangler.toolchain import install

    try:
        _ = context.toolchain
    except WranglerUnavailable:
        asyncio.run(install(output.say, environ=context.environ))


def _choose(undecided: Undecided, open_asker: Callable[[], "Asker"] | None) -> str:
    from d1_preflight import plain

    try:
        asker = open_asker() if open_asker else plain.open_asker(os.environ)
    except UsageError:
        raise undecided from None
    chosen = plain.choose(asker, f"{undecided.message}\nWhich one?", undecided.choices)
    if not chosen:
        raise undecided
    return chosen


def _remember(home: Path, chosen: str) -> Path:
    """Write the choice into preflight.toml, and say so; returns the configuration."""
    from d1_preflight.adapters.configuration import remembering, text_of
    from d1_preflight.adapters.store import write_durably
    from d1_preflight.core.project.settings import SETTINGS_NAME, load_settings

    path = home / SETTINGS_NAME
    text = remembering(text_of(path) if path.exists() else "", chosen)
    load_settings(text)  # what is written can be read
    write_durably(path, text.encode())
    output.say(f"Remembered in {path}: [wrangler] config. Change it there.")
    return home / chosen


def plain_because(environ: Mapping[str, str], *, asked: bool, set_so: bool) -> str:
    """What chose the plain face, in words; "" where nothing did and the screen opens."""
    if asked:
        return "--plain asks for it"
    if environ.get(PLAIN, "0") not in ("", "0"):
        return f"{PLAIN} is set"
    if set_so:
        return "preflight.toml sets plain under [face]"
    return "TERM is dumb" if environ.get("TERM") == "dumb" else ""


def sources_of(arguments: argparse.Namespace) -> "Sources":
    """The migrations that the command line names, in the environment that wrangler takes."""
    from d1_preflight.adapters.lint_sources import Sources

    environment = arguments.env or os.environ.get("CLOUDFLARE_ENV", "")
    return Sources(Path.cwd(), arguments.config, environment, arguments.database)


def path_root(form: str) -> Path:
    """Where paths begin: here; for GitHub, at the checkout, wherever the step runs."""
    workspace = os.environ.get("GITHUB_WORKSPACE", "")
    return Path(workspace) if form in ("github", "sarif") and workspace else Path.cwd()


def nearby(path: Path) -> Path:
    """The path as it is written from here, where the file lies below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def full_name(context: "ProjectContext", wanted: str) -> str:
    """The migration that a number, a stem or a name means; UsageError where none or several do."""
    from d1_preflight.core.project.migration import one_name

    return one_name([file.name for file in context.files()], wanted)


def _show_plain(context: "ProjectContext", name: str, why: str) -> int:
    import asyncio

    from d1_preflight import plain
    from d1_preflight.board import Board, owed_words

    asker = plain.open_asker(context.environ, goes_back=True)
    output.write(f"Plain mode: {why}. One question after the other; Ctrl-C leaves.\n")
    board = Board(context)
    owed = tuple(owed_words(board.listed()))
    _tell(owed)
    names = [file.name for file in context.files()]
    chosen = name or plain.choose(asker, "Which migration?", names)
    if not chosen:
        return 0

    asyncio.run(context.resolve())
    session = context.session(chosen)
    code = plain.walk(session, board.target(chosen), asker, board)
    _tell(
        line for line in owed_words(board.listed()) if line not in owed
    )  # what this walk left behind
    if session.record.attempts:
        output.write(_on_leaving(session, told=True))
    return code


def _tell(lines: Iterable[str]) -> None:
    for line in lines:
        output.write(f"{line}\n")


def _need_terminal() -> None:
    named = ("stdin", "stdout", "stderr")
    other = [name for name in named if not getattr(getattr(sys, name), "isatty", bool)()]
    if other:
        raise UsageError(
            f"The screen needs a terminal, and {' and '.join(other)} "
            f"{'are' if other[1:] else 'is'} none; --plain also needs one, for its questions.",
            hint="Run it in a terminal. For scripts: preflight lint, preflight verify.",
        )

"""`preflight practice`: the real wizard and the real wrangler on a stand-in for Cloudflare."""

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight.commands.adopt import adopt
from d1_preflight.commands.adoption import ADOPTION, Adoption
from d1_preflight.commands.faces import (
    add_face_arguments,
    full_name,
    need_wrangler,
    plain_because,
    show,
)

if TYPE_CHECKING:
    from d1_preflight.practice.run import Practice
    from d1_preflight.project_context import ProjectContext

_FOLDER = "preflight-practice"
_FIRST = "0061"
_LIKE = ("sample", "drizzle", "prisma", "monorepo", "adopt")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("practice", help="try it all on a made-up project, offline")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(_FOLDER),
                        help=f"the folder of the sample project (./{_FOLDER})")  # fmt: skip
    parser.add_argument(
        "--next",
        metavar="NUMBER",
        help="the migration that is next (0057 … 0063); 0061 if omitted",
    )
    parser.add_argument(
        "--like",
        choices=_LIKE,
        help="a project as this tool makes them (sample if omitted); adopt: without a ledger",
    )
    parser.add_argument("--fault", action="append", default=[], metavar="FAULT",
                        help="a failure to inject, e.g. dies-mid-apply, api-down, rate-limited; "
                        "list shows all; repeatable")  # fmt: skip
    parser.add_argument("--open", default="", metavar="NUMBER", help="open this migration at once")
    add_face_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Create the project (once), start the stand-in, open the wizard."""
    from d1_preflight.adapters.git.door import ask_git
    from d1_preflight.practice.faults import Fault
    from d1_preflight.practice.project import next_of, refuse_other_choices
    from d1_preflight.practice.run import start
    from d1_preflight.practice.shapes import Like
    from d1_preflight.project_context import open_context

    if "list" in arguments.fault:
        return _list_faults()
    refuse_other_choices(arguments.folder, next=arguments.next or "", like=arguments.like or "")
    like = Like(arguments.like or Like.SAMPLE)
    first = arguments.next or next_of(arguments.folder) or _FIRST
    faults = [Fault.parse(text) for text in arguments.fault]

    with start(arguments.folder, next=first, faults=faults, ask_git=ask_git, like=like) as running:
        environ = dict(os.environ) | dict(running.environment)
        config = running.config
        # Named, for wrangler and we would take another project's wrangler.json in a folder above.
        context = open_context(
            start=config.parent, config=config, environ=environ, target="practice"
        )
        need_wrangler(context)
        shell = _write_shell(context, running)
        print(
            f"The sample project is in {running.project}\n"
            f"To run commands against it in another terminal, while this runs:\n  . {shell}",
            file=sys.stderr,
        )
        is_plain = bool(plain_because(context.environ, asked=arguments.plain, set_so=False))
        if is_plain and _adopts(running.project, context) and adopt(context) != 0:
            return 1  # on the screen, the board offers it
        name = full_name(context, arguments.open) if arguments.open else ""
        if not name and is_plain:
            name = _next(running.project, first)
        return show(context, name=name, plain=arguments.plain)


def _adopts(folder: Path, context: "ProjectContext") -> bool:
    """Whether the account was laid down without a ledger, and none was adopted yet."""
    from d1_preflight.practice.project import shape_of

    named = Adoption(context).next(context.project.database.name)
    return not shape_of(folder).has_ledger and named == ADOPTION


def _next(folder: Path, number: str) -> str:
    """The next migration, as this project names it."""
    from d1_preflight.practice.project import migrations, shape_of

    named = shape_of(folder).named
    return next(named(m) for m in migrations() if m.name.startswith(number))


def _write_shell(context: "ProjectContext", practice: "Practice") -> Path:
    """A file to source: the practice environment, and `wrangler` as the one that was found.

    Without it a command copied from the screen would meet the operator's own account.
    """
    from d1_preflight.adapters.own_cache import user_cache

    folder = practice.project / ".practice"
    own = {
        **practice.environment,
        # The practice HOME keeps a real login out; who one is and what is installed stay known.
        "GIT_CONFIG_GLOBAL": str(Path("~/.gitconfig").expanduser()),
        "XDG_CACHE_HOME": str(user_cache().parent),
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in own.items()]
    lines.append(f'export PATH={shlex.quote(str(folder / "bin"))}:"$PATH"')
    lines.append(f"cd {shlex.quote(str(context.project.root))}")
    _write_program(folder / "bin" / "wrangler", context.toolchain.argv)
    _write_program(folder / "bin" / "preflight", (sys.executable, "-m", "d1_preflight"))
    path = folder / "env"
    path.touch(mode=0o600)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _write_program(path: Path, argv: tuple[str, ...]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    words = " ".join(shlex.quote(word) for word in argv)
    path.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    path.chmod(0o700)


def _list_faults() -> int:
    from d1_preflight.practice.faults import FaultKind

    for kind in FaultKind:
        print(kind.value)
    return 0

"""`preflight code`: which deploy order is safe, by the queries of the deployed and the new code."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight.commands.faces import add_project_arguments, path_root, sources_of
from d1_preflight.commands.output import say, write

if TYPE_CHECKING:
    from d1_preflight.code.verdict import Verdict

_FORMATS = ("text", "json", "sarif", "github")
_BREAKS, _UNKNOWN = 1, 2


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "code",
        help="prepare the Worker's queries on the schema before and after a migration",
        description="Exit code 0: no query breaks. 1: the running code breaks, or the new code "
        "would. 2: nothing was judged, or a query that was not seen could break.",
    )
    parser.add_argument(
        "migration", nargs="?", default="", metavar="NAME",
        help="one migration; without it, all that the deployed revision lacks",
    )  # fmt: skip
    parser.add_argument(
        "--deployed", default="", metavar="REV",
        help="the git revision that runs now; the merge-base with the main branch without it",
    )  # fmt: skip
    parser.add_argument(
        "--new", default="", metavar="REV",
        help="the git revision that will be deployed, with the migrations that lie here; "
        "the files here without it",
    )  # fmt: skip
    parser.add_argument("--format", choices=_FORMATS, default="text")
    add_project_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Judge, print, and say by the exit code whether the running code breaks."""
    from d1_preflight.lint import Format
    from d1_preflight.lint.deploy_order import render_order

    form = Format(arguments.format)
    verdict = judged(
        arguments, name=arguments.migration, deployed=arguments.deployed, new=arguments.new
    )
    root = path_root(form)
    write(render_order(verdict, form, path_prefix(root, arguments.config)), "The verdict")
    say(f"preflight code: {verdict.order}{'' if verdict.is_proved else ', not proved'}")
    return exit_code(verdict)


def judged(
    arguments: argparse.Namespace, *, name: str = "", deployed: str = "", new: str = ""
) -> "Verdict":
    """The verdict on the project that the arguments name."""
    from d1_preflight.deploy_order import Request, judge

    return judge(Request(sources_of(arguments), name, deployed, new))


def exit_code(verdict: "Verdict") -> int:
    """1 where code breaks, 2 where unseen queries could; unknown is never a pass."""
    if verdict.deployed.harmed or verdict.new.harmed_at_home:
        return _BREAKS
    return 0 if verdict.is_proved else _UNKNOWN


def path_prefix(root: Path, config: Path | None) -> str:
    """What leads from a folder to the repository's root, so that the reader can open a path."""
    from d1_preflight.adapters.configuration import find_config
    from d1_preflight.adapters.working_tree import repository_root

    top = repository_root(find_config(Path.cwd(), config).parent)
    found = os.path.relpath(top, os.path.realpath(root))
    return "" if found == "." else found

"""`preflight new`: a numbered migration with its header, and an empty down file."""

import argparse
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight.commands.faces import add_project_arguments
from d1_preflight.commands.output import say, write

if TYPE_CHECKING:
    from d1_preflight.core.errors import UsageError
    from d1_preflight.core.project.project import Project


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    from d1_preflight.core.findings import Kind

    kinds = (Kind.ADDITIVE, Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE)
    parser = subparsers.add_parser("new", help="a numbered file with the header, and its down file")
    parser.add_argument("name", metavar="NAME", help="what it does: add_users_last_login")
    parser.add_argument(
        "--type", choices=[kind.value for kind in kinds], default=Kind.ADDITIVE.value,
        help="the intended class; the checklist verifies it (default: additive)",
    )  # fmt: skip
    parser.add_argument(
        "--description", default="", metavar="WORDS", help="one line of description"
    )
    add_project_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the files and print their paths; nothing that exists is touched."""
    from d1_preflight.adapters.project_files import ProjectFiles, open_folder
    from d1_preflight.core.findings import Kind
    from d1_preflight.core.project.template import down_text, migration_text

    project = open_folder(
        Path.cwd(),
        config=arguments.config,
        environment=arguments.env,
        database=arguments.database,
    )
    name = _name(project, arguments.name)
    kind = Kind(arguments.type)
    path = project.migrations_folder / name
    text = migration_text(name, kind, " ".join(arguments.description.split()))
    stem = name.removesuffix(".sql")
    down = None if kind is Kind.ADDITIVE else ProjectFiles(project).down_path(stem)
    _write_new(path, text, *(() if down is None else ((down, down_text(name)),)))
    write("".join(f"{made}\n" for made in (path, down) if made))
    say(f"Write the SQL, then: preflight lint {_shown(path)}")
    return 0


def _name(project: "Project", words: str) -> str:
    """The file's name; refused before anything is made on the disk."""
    from d1_preflight.adapters.project_files import ProjectFiles
    from d1_preflight.adapters.system import SystemClock
    from d1_preflight.core.errors import UsageError
    from d1_preflight.core.project.template import migration_name

    there = os.path.lexists(project.migrations_folder)
    files = ProjectFiles(project).files() if there else ()
    names = [file.name for file in files]
    naming = ProjectFiles(project).naming(names)
    if naming.tool:
        raise _made_by(naming.tool, words)
    if not words.isascii():  # a digit of another script is a digit to Python, not to wrangler
        raise UsageError(
            f"{words!r} contains characters other than a–z, 0–9 and _.",
            hint="Two words or more, a–z and 0–9: preflight new add_users_last_login",
        )
    name = migration_name(words, names, SystemClock().now(), naming.convention(names))
    if not project.database.glob.matches(name):
        raise UsageError(
            f"{name} would not be a migration: the pattern is "
            f"{project.database.migrations_pattern}.",
            hint="Create the file manually as the pattern requires.",
        )
    return name


_COMMANDS = {
    "drizzle": "npx drizzle-kit generate --name={} (with --custom for SQL of your own)",
    "prisma": "npx prisma migrate dev --create-only --name {}",
}


def _made_by(tool: str, words: str) -> "UsageError":
    """A file that the tool did not make would be missing in its books."""
    from d1_preflight.core.errors import UsageError

    name = "_".join(re.findall("[a-z0-9]+", words.lower())) or "NAME"
    return UsageError(
        f"{tool} makes the migrations of this folder and keeps its own list of them.",
        hint=f"Make the file with: {_COMMANDS[tool].format(name)}",
    )


def _shown(path: Path) -> str:
    """The path as it is typed from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _write_new(path: Path, text: str, *downs: tuple[Path, str]) -> None:
    """Write the migration and its down file: both, or neither."""
    from d1_preflight.adapters.store import create_durably, make_folder
    from d1_preflight.core.errors import ProjectError

    make_folder(path.parent)
    create_durably(path, text.encode())
    try:
        for down, words in downs:
            make_folder(down.parent)
            create_durably(down, words.encode())
    except ProjectError as error:
        path.unlink(missing_ok=True)
        raise ProjectError(
            error.message,
            hint=f"{path.name} was removed: its down file could not be written. {error.hint}",
        ) from error

"""`preflight new`: a numbered migration with its header and down file, empty or by a pattern."""

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight.commands.faces import add_project_arguments, named, nearby
from d1_preflight.commands.output import say, write
from d1_preflight.core.errors import ProjectError, UsageError
from d1_preflight.core.findings import Kind

if TYPE_CHECKING:
    from d1_preflight.core.project.project import Project


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    from d1_preflight.commands.patterns import add_pattern_arguments

    kinds = (Kind.ADDITIVE, Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE)
    parser = subparsers.add_parser(
        "new",
        help="a numbered file with the header and its down file, empty or written by a pattern",
        description="With --pattern the file is written for your tables, linted, and proved up and "
        "down on invented rows before anything is on the disk.",
    )
    parser.add_argument("name", metavar="NAME", help="what it does: add_users_last_login")
    parser.add_argument(
        "--type", choices=[kind.value for kind in kinds], default="",
        help="an empty file of this class; the checklist verifies it (default: additive)",
    )  # fmt: skip
    parser.add_argument(
        "--description", default="", metavar="WORDS", help="one line of description"
    )
    add_pattern_arguments(parser)
    add_project_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the files and print their paths; nothing that exists is touched."""
    from d1_preflight.adapters.project_files import ProjectFiles, open_folder
    from d1_preflight.core.project.template import down_text, migration_text

    project = open_folder(Path.cwd(), **named(arguments))
    name = _name(project, arguments.name, pattern=arguments.pattern)
    described = " ".join(arguments.description.split())
    if not (arguments.pattern or arguments.type):
        from d1_preflight.commands.pattern_questions import ask_pattern

        ask_pattern(arguments)
    if arguments.pattern:
        return _write_pattern(arguments, project, described)
    kind = Kind(arguments.type or Kind.ADDITIVE)
    path = project.migrations_folder / name
    text = migration_text(name, kind, described)
    stem = name.removesuffix(".sql")
    down = None if kind is Kind.ADDITIVE else ProjectFiles(project).down_path(stem)
    _write_new((path, text), *(() if down is None else ((down, down_text(name)),)))
    write("".join(f"{made}\n" for made in (path, down) if made))
    say(f"Write the SQL, then: preflight lint {nearby(path)}")
    return 0


def _write_pattern(arguments: argparse.Namespace, project: "Project", described: str) -> int:
    """Write the files of a pattern, all or none, and say on what they rest."""
    from d1_preflight.adapters.project_files import ProjectFiles
    from d1_preflight.commands.pattern_questions import ask_rest
    from d1_preflight.commands.patterns import files_for, start_of, with_code

    start = start_of(project)
    wanted = with_code(ask_rest(arguments, start), start, project, arguments)

    def name_of(suffix: str, made: Sequence[str]) -> str:
        words = f"{arguments.name.removesuffix('.sql')} {suffix}".strip()
        return _name(project, words, made)

    files = files_for(wanted, start, project, described, name_of)
    made: list[tuple[Path, str]] = []
    for file in files:
        made.append((project.migrations_folder / file.name, file.text))
        made.append((ProjectFiles(project).down_path(file.name.removesuffix(".sql")), file.down))
    _write_new(*made)
    write("".join(f"{path}\n" for path, _ in made))
    say(f"Written for the tables of {start.source}.")
    for file in files:
        say(f"{file.name}: {file.kind.value}; up and down proved on {file.rows}.")
        for gap in file.gaps:
            say(f"  {gap}")
    if len(files) > 1:
        say(wanted.used)
        say(f"Apply {files[1].name} only once no running code does; wrangler itself applies all.")
    say(f"Read them, then: preflight lint {nearby(made[0][0])}")
    return 0


def _name(project: "Project", words: str, made: Sequence[str] = (), *, pattern: str = "") -> str:
    """The file's name, refused before anything is on the disk; `made` are those just named."""
    from d1_preflight.adapters.project_files import ProjectFiles
    from d1_preflight.adapters.system import SystemClock
    from d1_preflight.core.project.template import migration_name

    there = os.path.lexists(project.migrations_folder)
    files = ProjectFiles(project).files() if there else ()
    names = [*(file.name for file in files), *made]
    naming = ProjectFiles(project).naming(names)
    if naming.tool:
        raise _made_by(naming.tool, words, pattern)
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


_EMPTY = {
    "drizzle": "npx drizzle-kit generate --custom --name={}",
    "prisma": "npx prisma migrate dev --create-only --name {}",
}
_FROM_SCHEMA = {
    "drizzle": "npx drizzle-kit generate --name={}",
    "prisma": "npx prisma migrate dev --create-only --name {}",
}
_SCHEMAS = {"drizzle": "its schema.ts", "prisma": "schema.prisma"}


def _made_by(tool: str, words: str, pattern: str) -> "UsageError":
    """A file that the tool did not make would be missing in its books."""
    name = "_".join(re.findall("[a-z0-9]+", words.lower())) or "NAME"
    changed = f"change {_SCHEMAS[tool]}, then {_FROM_SCHEMA[tool].format(name)}"
    empty = _EMPTY[tool].format(name)
    hint = {
        "": f"An empty file for SQL of your own: {empty}. Where the schema changes: {changed}.",
        "data": f"Make an empty file, and write the SQL into it: {empty}",
        "rename": f"To rename: {changed}; answer that the column is renamed, or it is dropped.",
    }.get(pattern, f"To do it: {changed}.")
    check = "" if pattern in ("", "data") else " Then: preflight fix, which makes it safe."
    return UsageError(
        f"{tool} makes the migrations of this folder and keeps its own list of them.",
        hint=f"{hint}{check}",
    )


def _write_new(*files: tuple[Path, str]) -> None:
    """Write the files: all of them, or none."""
    from d1_preflight.adapters.store import create_durably, make_folder

    made: list[Path] = []
    for path, text in files:
        try:
            make_folder(path.parent)
            create_durably(path, text.encode())
        except ProjectError as error:
            for earlier in made:
                earlier.unlink(missing_ok=True)
            if not made:
                raise
            gone = ", ".join(earlier.name for earlier in made)
            verb = "were" if len(made) > 1 else "was"
            raise ProjectError(
                error.message, hint=f"{gone} {verb} removed: not all could be written. {error.hint}"
            ) from error
        made.append(path)

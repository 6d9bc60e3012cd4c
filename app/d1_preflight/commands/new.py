"""`preflight new`: a numbered migration with its header, and the shell of its way back."""

import argparse
import os
from pathlib import Path

from d1_preflight.commands.faces import add_project_arguments
from d1_preflight.commands.output import say, write


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    from d1_preflight.core.findings import Kind

    kinds = (Kind.ADDITIVE, Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE)
    parser = subparsers.add_parser("new", help="a numbered file with the header, and its down file")
    parser.add_argument("name", metavar="NAME", help="what it does: add_users_last_login")
    parser.add_argument(
        "--type", choices=[kind.value for kind in kinds], default=Kind.ADDITIVE.value,
        help="what it will be; the checklist tells whether it is (default: additive)",
    )  # fmt: skip
    parser.add_argument("--description", default="", metavar="WORDS", help="one line for people")
    add_project_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the files and print their paths; nothing that exists is touched."""
    from d1_preflight.adapters.files import ProjectFiles, open_project
    from d1_preflight.adapters.store import make_folder
    from d1_preflight.core.errors import UsageError
    from d1_preflight.core.findings import Kind
    from d1_preflight.core.template import down_text, migration_name, migration_text

    project = open_project(
        Path.cwd(),
        config=arguments.config,
        environment=arguments.env,
        database=arguments.database,
    )
    folder = project.migrations_folder
    make_folder(folder)
    files = ProjectFiles(project)
    name = migration_name(arguments.name, (file.name for file in files.files()))
    if not project.database.glob.matches(name):
        raise UsageError(
            f"{name} would not be a migration: the pattern is "
            f"{project.database.migrations_pattern}.",
            hint="Make the file by hand as the pattern asks.",
        )
    kind = Kind(arguments.type)
    path = folder / name
    _write_new(path, migration_text(name, kind, " ".join(arguments.description.split())))
    write(f"{path}\n")
    if kind is not Kind.ADDITIVE:
        down = files.down_path(path.stem)
        make_folder(down.parent)
        _write_new(down, down_text(name))
        write(f"{down}\n")
    say(f"Write the SQL, then: preflight lint {_shown(path)}")
    return 0


def _shown(path: Path) -> str:
    """The path as it is typed from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _write_new(path: Path, text: str) -> None:
    from d1_preflight.core.disk import writing
    from d1_preflight.core.errors import ProjectError

    if os.path.lexists(path):
        raise ProjectError(f"{path} is there already.", hint="Choose another name.")
    with writing(path), path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)

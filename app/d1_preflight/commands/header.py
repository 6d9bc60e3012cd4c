"""`preflight header`: writes a migration's header from what was found in it."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight.commands.faces import add_project_arguments, named
from d1_preflight.commands.output import say, write
from d1_preflight.core.errors import MigrationUnreadable, UsageError
from d1_preflight.core.findings import Analysis, Kind

if TYPE_CHECKING:
    from d1_preflight.adapters.project_files import ProjectFiles
    from d1_preflight.core.project.migration import Migration


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    kinds = (Kind.ADDITIVE, Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE)
    parser = subparsers.add_parser("header", help="write a file's header from what it does")
    parser.add_argument("name", metavar="NAME", help="the migration: its number, or its name")
    parser.add_argument(
        "--type", choices=[kind.value for kind in kinds], default="",
        help="the class, if the target showed a different one than the files",
    )  # fmt: skip
    parser.add_argument(
        "--description", default="", metavar="WORDS", help="what it is for; else it is asked"
    )
    add_project_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the header into the file; its statements stay as they are."""
    from d1_preflight.adapters.project_files import ProjectFiles, open_folder
    from d1_preflight.adapters.store import write_durably
    from d1_preflight.core.project.template import found_header, with_header

    project = open_folder(Path.cwd(), **named(arguments))
    files = ProjectFiles(project)
    migration = _meant(files, arguments.name)
    _refuse_kept(migration)
    _refuse_blank(migration, arguments.type)
    found = _found(files, migration, arguments.type)
    description = _description(arguments, migration)
    down = _down(files, migration)
    header = found_header(migration.stem, found.kind, found.effects, description, down)
    text = with_header(migration.text, header)
    if migration.path is not None and text != migration.text:
        write_durably(migration.path, text.encode())
    write(f"{migration.path}\n")
    say(f"{found.kind.value}, {found.risk.value} risk, as its statements are. Read it once.")
    return 0


def _meant(files: "ProjectFiles", wanted: str) -> "Migration":
    from d1_preflight.core.project.migration import Migration, one_name

    all_files = files.files()
    name = one_name([file.name for file in all_files], wanted)
    found = next(file for file in all_files if file.name == name)
    if not isinstance(found, Migration):
        raise MigrationUnreadable(found.problem, hint=found.hint)
    return found


def _refuse_kept(migration: "Migration") -> None:
    """A tool knows its files by their bytes, too: a header would make another file of it."""
    if migration.naming.keeps(migration.name):
        raise UsageError(
            f"{migration.naming.tool} made {migration.name} and knows it by its bytes.",
            hint="Its header is kept in the record: the step *header* asks what it is for.",
        )


def _refuse_blank(migration: "Migration", kind: str) -> None:
    """The type follows from the statements: there is none yet."""
    if migration.is_blank and not kind:
        raise UsageError(
            f"Nothing is written in {migration.name} yet: its type follows from the SQL.",
            hint="Write the SQL first, or say the class: --type additive",
        )


def _found(files: "ProjectFiles", migration: "Migration", kind: str) -> "Analysis":
    """The judgement by the files alone; a class that is known better, from the target, counts."""
    from dataclasses import replace

    from d1_preflight.adapters.baseline import read_baseline
    from d1_preflight.core.analysis import baseline_schema, judge_some

    baseline = read_baseline(files.folder, Path.cwd())
    prior = baseline_schema(baseline) if baseline else None
    judged = judge_some(files.migrations(), {migration.name}, prior, whole=baseline is not None)
    found = next(analysis for _, analysis in judged)
    if kind:
        return replace(found, kind=Kind(kind))
    if found.kind is Kind.UNKNOWN:
        reason = found.reasons[0].text if found.reasons else "its statements"
        raise UsageError(
            f"What {migration.name} does is not certain from the files: {reason}",
            hint="Name the class: --type additive, transformative or destructive",
        )
    return found


def _down(files: "ProjectFiles", migration: "Migration") -> str:
    """The down file's path below the project, where it is written."""
    if files.down(migration.stem) is None:
        return ""
    return os.path.relpath(files.down_path(migration.stem), files.folder)


def _description(arguments: argparse.Namespace, migration: "Migration") -> str:
    """What it is for: as said, as the header says, as a person answers, else as it is named."""
    from d1_preflight import plain
    from d1_preflight.core.checklist.checklist import Prompt, PromptKind
    from d1_preflight.core.project.template import description_of

    said = " ".join(arguments.description.split()) or migration.header.description
    if said:
        return said
    try:
        asker = plain.open_asker(os.environ)
    except UsageError:
        return description_of(migration.name)
    asked = Prompt("description", PromptKind.TEXT, f"What is {migration.name} for?")

    import asyncio

    return " ".join(str(asyncio.run(asker.ask(asked)) or "").split()) or description_of(
        migration.name
    )

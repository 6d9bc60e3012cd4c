"""What `preflight new --pattern` writes: the tables it starts from, the code that uses a column."""

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight.core.errors import PreflightError, UsageError
from d1_preflight.core.remedies.patterns.pattern import Pattern, Wanted
from d1_preflight.core.schema.schema import Schema, structure
from d1_preflight.lazy_dataclass import dataclass, replace

if TYPE_CHECKING:
    from d1_preflight.core.project.migration import Migration
    from d1_preflight.core.project.project import Project
    from d1_preflight.core.remedies.patterns.files import Written


Naming = Callable[[str, Sequence[str]], str]
"""Names a file by the end of its name and the names that were just given."""


@dataclass(frozen=True, slots=True)
class Start:
    """The schema that a new file meets, where it comes from, and the folder's files."""

    schema: "Schema"
    source: str
    siblings: "tuple[Migration, ...]"


def add_pattern_arguments(parser: argparse.ArgumentParser) -> None:
    """What the patterns need; what is not said is asked at a terminal."""
    add = parser.add_argument
    add("--pattern", choices=[pattern.value for pattern in Pattern], default="",
        help="write it for your tables: asked at a terminal where it is left out")  # fmt: skip
    add("--table", default="", metavar="TABLE", help="the table to change")
    add("--column", action="append", default=[], metavar="COLUMN",
        help="column, table, rebuild: its definition; rename, data: its name")  # fmt: skip
    add("--to", default="", metavar="NAME", help="rename: the new name")
    add("--one-step", action="store_true", help="rename: in one file, whatever the code uses")
    add("--drop", action="append", default=[], metavar="COLUMN", help="rebuild: leave it out")
    add("--reason", default="", metavar="WORDS", help="rebuild: why its values may be lost")
    add("--index", action="append", default=[], metavar="COLUMNS", help="column, table: an index")
    add("--set", default="", metavar="EXPRESSION", help="data: the new value")
    add("--where", default="", metavar="CONDITION", help="data: only in these rows")
    add(
        "--value",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="data: the new value for an old one",
    )


def wanted_of(arguments: argparse.Namespace) -> Wanted:
    """What the arguments ask for."""
    pattern = Pattern(arguments.pattern)
    is_name = pattern in (Pattern.RENAME, Pattern.DATA)
    if is_name and len(arguments.column) > 1:
        raise UsageError("One column at a time.", hint="A migration is one logical change.")
    return Wanted(
        pattern,
        arguments.table,
        columns=() if is_name else tuple(arguments.column),
        column=arguments.column[0] if is_name and arguments.column else "",
        to=arguments.to,
        drop=tuple(arguments.drop),
        index=tuple(arguments.index),
        expression=arguments.set,
        where=arguments.where,
        pairs=tuple(map(_pair, arguments.value)),
        reason=" ".join(arguments.reason.split()),
    )


def _pair(text: str) -> tuple[str, str]:
    old, sign, new = text.partition("=")
    if not sign:
        raise UsageError(f"{text!r} names no new value.", hint="--value OWNER=owner")
    return old, new


def start_of(project: "Project") -> Start:
    """The schema after the files of the folder: on the target's copy where there is one."""
    from d1_preflight.adapters.baseline import read_baseline
    from d1_preflight.adapters.project_files import ProjectFiles
    from d1_preflight.core.analysis import baseline_schema, schema_after

    there = os.path.lexists(project.migrations_folder)
    files = ProjectFiles(project).migrations() if there else ()
    copied = _copied(project, files)
    if copied is not None:
        return copied
    baseline = read_baseline(project.migrations_folder, Path.cwd()) if there else None
    prior = baseline_schema(baseline) if baseline else None
    source = f"the baseline {baseline.name} and the files" if baseline else "the files"
    return Start(schema_after(files, prior), f"{source} of {project.migrations_folder}", files)


def _copied(project: "Project", files: "Sequence[Migration]") -> Start | None:
    """The newest copy of the target, with the files that it had not yet."""
    from d1_preflight.adapters.localdb import local_file, read_schema
    from d1_preflight.adapters.wrangler.staged_config import open_workspace
    from d1_preflight.core.analysis import schema_after
    from d1_preflight.core.d1 import LEDGER

    if not project.database.id or not (project.root / ".preflight").is_dir():
        return None
    for number, migration in reversed(tuple(enumerate(files))):
        folder = open_workspace(project.root) / project.database.name / migration.stem
        path = local_file(folder / "copy" / "d1", project.database.id)
        if path.is_file():
            schema = read_schema(path).without(LEDGER)
            source = f"the target, as it was copied for {migration.name}"
            return Start(schema_after(files[number:], schema), source, tuple(files))
    return None


def with_code(
    wanted: Wanted, start: Start, project: "Project", arguments: argparse.Namespace
) -> Wanted:
    """The wish, with the places of the code that use the column; what is not seen counts."""
    from d1_preflight.core.project.migration import Migration
    from d1_preflight.core.remedies.patterns.files import drafts
    from d1_preflight.deploy_order import places_broken

    if wanted.pattern is not Pattern.RENAME or arguments.one_step:
        return wanted
    [draft] = drafts(wanted, structure(start.schema))
    renamed = Migration.from_text("9999_rename.sql", "".join(f"{sql};" for sql in draft.up))
    environment = arguments.env or os.environ.get("CLOUDFLARE_ENV", "")  # as wrangler has it
    try:
        code, unseen = places_broken(project.config, environment, start.schema, renamed)
    except PreflightError as error:
        return replace(wanted, unseen=(error.message.rstrip("."),))
    return replace(wanted, code=code, unseen=unseen)


def files_for(
    wanted: Wanted, start: Start, project: "Project", described: str, name_of: Naming
) -> "tuple[Written, ...]":
    """The files, named in the folder's convention, linted and proved."""
    from d1_preflight.adapters.project_files import ProjectFiles
    from d1_preflight.core.remedies.patterns.files import Request, drafts, written_files

    found = drafts(wanted, structure(start.schema))
    names: list[str] = []
    for draft in found:
        names.append(name_of(draft.suffix, names))

    def down_path(name: str) -> str:
        path = ProjectFiles(project).down_path(name.removesuffix(".sql"))
        return path.relative_to(project.migrations_folder).as_posix()

    request = Request(start.schema, start.siblings, described, _down, down_path)
    return written_files(found, names, request)


def _down(migration: "Migration", prior: "Schema") -> tuple[str, tuple[str, ...]]:
    from d1_preflight.core.recovery.down import draft_down

    drafted = draft_down(migration, prior)
    return drafted.sql, drafted.gaps

"""`preflight lint`: the truth about migrations, for people, editors, CI and pull requests."""

import argparse
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight.commands.faces import add_project_arguments, nearby, path_root, sources_of
from d1_preflight.commands.fix import add_fix_arguments
from d1_preflight.commands.output import say, write
from d1_preflight.core.errors import ProjectError, UsageError
from d1_preflight.lazy_dataclass import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from d1_preflight.adapters.lint_sources import Ledger, Sources
    from d1_preflight.code.verdict import Verdict
    from d1_preflight.core.findings import Analysis
    from d1_preflight.lint.judged import Judged
    from d1_preflight.lint.paint import Paint

_FORMATS = ("text", "json", "sarif", "github")
_STDIN = "<stdin>"
_WIDEST = 100
_UNJUDGED = 2


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "lint",
        help="judge migrations: what they destroy, what D1 refuses, and what to write instead",
        description="Exit code 0: nothing blocks. 1: blocking findings. 2: nothing was judged.",
    )
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="files, folders in ledger order, or - for stdin; without any, the whole project",
    )
    parser.add_argument("--format", choices=_FORMATS, default="text")
    parser.add_argument(
        "--base",
        default="",
        metavar="REV",
        help="only migrations added or changed since this git revision",
    )
    parser.add_argument(
        "--code",
        action="store_true",
        help="judge the Worker's queries too, as preflight code does",
    )
    parser.add_argument(
        "--fix", action="store_true", help="look for a proved rewrite of each file, as fix does"
    )
    add_fix_arguments(parser)
    parser.add_argument(
        "--stdin-filename",
        type=Path,
        metavar="PATH",
        help="the path that the text from stdin will have",
    )
    add_project_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Judge, print, and say by the exit code whether something blocks."""
    from d1_preflight.lint import Format, render
    from d1_preflight.lint.judged import Judged, summary

    form = Format(arguments.format)
    if arguments.write and not arguments.fix:
        raise UsageError("--write writes what --fix finds.", hint="preflight lint --fix --write")
    ledgers = _ledgers(arguments)
    judged: list[Judged] = []
    with _bounded(ledgers, judged):
        for ledger in ledgers:
            judged.extend(_judged(ledger, path_root(form)))
    if arguments.fix:
        judged = _with_rewrites(arguments, judged)
    with _bounded(ledgers, judged):
        text = render(judged, form, _paint())
    verdict, from_code = _verdict(arguments) if arguments.code else None, 0
    if verdict is not None:
        from d1_preflight.commands.code import exit_code, path_prefix
        from d1_preflight.lint.deploy_order import with_order

        from_code = exit_code(verdict)
        text = with_order(text, verdict, form, path_prefix(path_root(form), arguments.config))
    write(text, "The findings")
    nothing = (
        f"no migration was added or changed since {arguments.base}"
        if arguments.base
        else "0 migrations"
    )
    outcome = summary(judged) if judged else nothing
    unjudged = _tell_notes(ledgers)
    say(f"preflight lint: {outcome}")
    if arguments.fix:
        return _fixed(arguments, judged)
    blocks = any(one.blocks for one in judged) or from_code == 1
    return 1 if blocks else _UNJUDGED if unjudged or from_code else 0


def _with_rewrites(arguments: argparse.Namespace, judged: "Sequence[Judged]") -> "list[Judged]":
    """The judgements, with what `fix` offers for each file."""
    from d1_preflight.commands.fix import proved_fix

    if any(one.migration.path is None for one in judged):
        raise UsageError("Text from stdin has no file to rewrite.", hint="Name the file.")
    return [
        replace(one, fix=proved_fix(arguments, one.migration.path))
        if one.analysis.findings and one.migration.path
        else one
        for one in judged
    ]


def _fixed(arguments: argparse.Namespace, judged: "Sequence[Judged]") -> int:
    """Write what is offered, if that was said; 1 where something blocks or was not written."""
    from d1_preflight.commands.fix import tell_and_write

    show = arguments.format == "text"
    ends = [
        tell_and_write(arguments, nearby(one.migration.path), one.fix, show=show)
        for one in judged
        if one.fix and one.migration.path
    ]
    stays = any(
        answer.finding.blocks for one in judged if one.fix for answer in one.fix.left
    ) or any(one.blocks for one in judged if not one.fix)
    return 1 if stays else max(ends, default=0)


def _verdict(arguments: argparse.Namespace) -> "Verdict":
    from d1_preflight.commands.code import judged

    if arguments.paths:
        raise UsageError(
            "--code judges the whole project's code.", hint="Leave out PATH with --code."
        )
    return judged(arguments, deployed=arguments.base)


@contextmanager
def _bounded(ledgers: "Sequence[Ledger]", judged: "Sequence[Judged]") -> "Iterator[None]":
    """Refuse what would take too long or too much memory; raises UsageError."""
    from d1_preflight.adapters.work_limit import SECONDS, SECONDS_A_FILE, TooMuchWork, work_limit

    names = [m.name for ledger in ledgers for m in ledger.migrations]
    try:
        with work_limit(SECONDS + SECONDS_A_FILE * len(names)):
            yield
    except TooMuchWork as stopped:
        done = {one.migration.name for one in judged}
        first = next((name for name in names if name not in done), names[-1])
        what = first if len(names) == 1 else f"{len(names):,} files, at {first},"
        raise UsageError(
            f"Judging {what} takes {stopped.words}: nothing was judged.",
            hint="Split the file. Migrations change the schema; bring rows in with "
            "wrangler d1 execute --file.",
        ) from None


def _tell_notes(ledgers: "Sequence[Ledger]") -> bool:
    """Say what was passed over; whether anything was that should have been judged."""
    for note in (note for ledger in ledgers for note in (*ledger.notes, *ledger.unjudged)):
        say(f"preflight lint: {note}")
    return any(ledger.unjudged for ledger in ledgers)


def _ledgers(arguments: argparse.Namespace) -> "Sequence[Ledger]":
    from d1_preflight.adapters.lint_sources import MOST_BYTES

    sources = sources_of(arguments)
    if "-" in arguments.paths:
        if len(arguments.paths) > 1 or arguments.base:
            raise UsageError(
                "- reads stdin and cannot be combined with --base.",
                hint="Name files, or -, without --base.",
            )
        from d1_preflight.adapters.standard_input import read_input

        data = read_input(MOST_BYTES + 1)
        return (sources.text(data, arguments.stdin_filename),)
    if arguments.paths:
        named = sources.paths(Path(path) for path in arguments.paths)
        return _since(sources, named, arguments)
    try:
        return _since(sources, sources.project(), arguments)
    except ProjectError as error:
        hint = f"{error.hint}\n  or name files or a folder: preflight lint PATH".strip()
        raise ProjectError(error.message, hint=hint) from error


def _since(
    sources: "Sources", ledgers: "Sequence[Ledger]", arguments: argparse.Namespace
) -> "Sequence[Ledger]":
    """With a base, only what was not merged there as it reads now is judged."""
    if not arguments.base:
        return ledgers
    from d1_preflight.adapters.git.merged import Merged

    merged = Merged(sources, arguments.base, by_config=not arguments.paths)
    return [merged.left_out_of(ledger) for ledger in ledgers]


def _judged(ledger: "Ledger", root: Path) -> "Iterator[Judged]":
    from d1_preflight.adapters.baseline import read_baseline, read_naming
    from d1_preflight.core.analysis import baseline_schema, judge_some, schema_after
    from d1_preflight.lint.judged import Judged

    baseline = read_baseline(ledger.place.folder, Path.cwd()) if ledger.wanted else None
    prior = baseline_schema(baseline) if baseline else None
    if baseline:
        say(f"preflight lint: judged on the baseline {baseline.name}: what neither it nor a file")
        say("  creates counts as missing")
    prior = schema_after(ledger.earlier, prior) if ledger.earlier else prior
    naming = read_naming(ledger, Path.cwd())
    migrations = [replace(migration, naming=naming) for migration in ledger.migrations]
    judged = judge_some(migrations, ledger.wanted, prior, ledger.known, whole=baseline is not None)
    for migration, analysis in judged:
        path = migration.path
        if path is None:
            yield Judged(_STDIN, migration, _without_name(analysis))
        elif change := ledger.changed.get(migration.name):
            yield Judged(_shown(path, root), migration, change.before(analysis))
        else:
            yield Judged(_shown(path, root), migration, analysis)
    for change in ledger.departed:
        where = change.migration.path or Path(change.migration.name)
        yield Judged(_shown(where, root), change.migration, change.alone)


def _without_name(analysis: "Analysis") -> "Analysis":
    """Text on stdin has no name that could be wrong."""
    kept = tuple(finding for finding in analysis.findings if finding.rule != "name-pattern")
    return replace(analysis, findings=kept)


def _shown(path: Path, root: Path) -> str:
    """The path for the reader: relative to `root` if it is below it."""
    real = Path(os.path.realpath(path.parent)) / path.name
    for whole, base in ((path, root), (real, Path(os.path.realpath(root)))):
        if whole.is_relative_to(base):
            return whole.relative_to(base).as_posix()
    return path.as_posix()


def _paint() -> "Paint":
    from d1_preflight.lint.paint import Paint, wants_colour

    is_terminal = bool(sys.stdout and sys.stdout.isatty())
    if not is_terminal:
        return Paint(width=_WIDEST)
    columns = os.get_terminal_size(sys.stdout.fileno()).columns
    on = wants_colour(is_terminal=True, environ=os.environ)
    return Paint(on=on, width=min(max(columns, 40), _WIDEST))

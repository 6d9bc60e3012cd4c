"""`preflight fix`: the safe way, written into the author's file, once it is proved."""

import argparse
import os
import sys
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight.commands.faces import (
    add_project_arguments,
    full_name,
    named,
    nearby,
    sources_of,
)
from d1_preflight.commands.output import clean, say, write
from d1_preflight.core.errors import PreflightError, UsageError
from d1_preflight.lazy_dataclass import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from d1_preflight.core.project.migration import Migration
    from d1_preflight.core.remedies.fix import Fix
    from d1_preflight.core.remedies.patterns.split import Split
    from d1_preflight.core.remedies.remedy import NoRemedy
    from d1_preflight.core.schema.schema import Schema
    from d1_preflight.project_context import ProjectContext

_LONGER = 6
_UNAPPLIED = "You said with --unapplied that it is applied nowhere; no target was asked."


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "fix",
        help="rewrite a migration the safe way: proved, shown as a diff, and written on --write",
        description="Exit code 0: nothing to rewrite, or written. 1: a rewrite is offered and was "
        "not written. 2: refused.",
    )
    parser.add_argument("paths", nargs="+", metavar="NAME|PATH", help="migrations")
    add_fix_arguments(parser)
    parser.add_argument("--rule", action="append", default=[], metavar="RULE",
                        help="only the findings of this rule")  # fmt: skip
    add_project_arguments(parser)
    parser.set_defaults(run=run)


def add_fix_arguments(parser: argparse.ArgumentParser) -> None:
    """What `fix` and `lint --fix` have in common."""
    keep = "write the rewrite; the earlier text is kept in .preflight/"
    parser.add_argument("--write", action="store_true", help=keep)
    parser.add_argument("--diff", action="store_true", help="with --write: print the diff too")
    parser.add_argument("--unapplied", action="store_true",
                        help="they are applied nowhere: the target is not asked")  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Fix each file in turn; the first that is refused ends the run."""
    from d1_preflight.core.rules.catalog import rule_catalog

    rules = tuple(getattr(arguments, "rule", ()))
    unknown = next((rule for rule in rules if rule not in rule_catalog()), None)
    if unknown:
        raise UsageError(f"There is no rule {unknown!r}.", hint="preflight explain lists them.")
    ends = [_fixed(arguments, path, rules) for path in _paths(arguments)]
    return max(ends, default=0)


def _paths(arguments: argparse.Namespace) -> "Sequence[Path]":
    """The files that the words name: a path, or a migration of the project by its name."""
    found: list[Path] = []
    for word in arguments.paths:
        if os.path.lexists(word) or "/" in word:
            found.append(Path(word))
            continue
        context = _context(arguments)
        name = full_name(context, word)
        found += [nearby(f.path) for f in context.files() if f.name == name and f.path]
    return found


def _context(arguments: argparse.Namespace) -> "ProjectContext":
    from d1_preflight.project_context import open_context

    return open_context(**named(arguments))


def _fixed(arguments: argparse.Namespace, path: Path, rules: "Sequence[str]") -> int:
    from d1_preflight.adapters.rewritten_file import read_rewritable
    from d1_preflight.core.remedies.patterns.split import RULE

    read_rewritable(path)
    if tuple(rules) == (RULE,):
        return _split(arguments, path)
    found = proved_fix(arguments, path, rules)
    ended = tell_and_write(arguments, path, found)
    return ended if rules else max(ended, _down(arguments, path, found))


def _down(arguments: argparse.Namespace, path: Path, fixed: "Fix") -> int:
    """Offer the down file that is missing beside the file as it is now; the exit code."""
    from d1_preflight.commands.fix_down import missing_down, tell_missing, write_missing

    migration, prior, _ = _among(arguments, path)
    with _bounded(path):
        found = missing_down(arguments, migration, prior, fixed.after)
    if found is None:
        return 0
    for line in tell_missing(found):
        say(line)
    if found.undoes_nothing:
        return 0
    if arguments.diff or not arguments.write:
        write(as_diff(os.path.relpath(found.path), "", found.draft.sql), "The down file")
    if not _is_agreed(arguments, found.path):
        return 1
    write_missing(found)
    say(f"preflight fix: wrote {os.path.relpath(found.path)}: read it through before it is used")
    return 0


def _split(arguments: argparse.Namespace, path: Path) -> int:
    """Split a file that holds several changes, as `_fixed` rewrites one."""
    from d1_preflight.adapters.rewritten_file import read_rewritable
    from d1_preflight.core.remedies.remedy import NoRemedy

    with _bounded(path):
        found = _found_split(*_among(arguments, path))
    if not _tell_split(path, found) or isinstance(found, NoRemedy):
        return 0
    if arguments.diff or not arguments.write:
        _show_split(path, found)
    if not _is_agreed(arguments, path, "them"):
        return 1
    if read_rewritable(path).text != found.before:
        raise _changed(path)
    _write_split(arguments, path, found, _refuse_applied(arguments, path))
    return 0


def _found_split(
    migration: "Migration", prior: "Schema", siblings: "Sequence[Migration]"
) -> "Split | NoRemedy":
    """The split of a migration among its siblings, named in their convention."""
    from d1_preflight.adapters.system import SystemClock
    from d1_preflight.core.remedies.patterns.split import names_at, split

    names = names_at(SystemClock().now(), migration, siblings)
    return split(migration, prior, siblings, names)


def _tell_split(path: Path, found: "Split | NoRemedy") -> bool:
    """Say what the split comes to; whether there is one."""
    from d1_preflight.core.remedies.remedy import NoRemedy

    if isinstance(found, NoRemedy):
        say(f"preflight fix: {path}: no split")
        say(f"  several-changes stays: {found.reason}")
        return False
    say(f"preflight fix: {path}: it needs {len(found.parts)} files; the split is proved")
    for part in found.parts:
        say(f"  {part.name}: {part.what}")
    say(f"  proved on {found.rows}: the same rows and the same schema as before")
    return True


def _show_split(path: Path, found: "Split") -> None:
    """The files as they would be, each behind its name."""
    texts = (f"== {path.with_name(Path(p.name).name)}\n{clean(p.text)}" for p in found.parts)
    write("\n".join(texts), "The split")


def _write_split(arguments: argparse.Namespace, path: Path, found: "Split", root: Path) -> None:
    """Write the new files, then the first over the author's; none where one cannot be written."""
    from d1_preflight.adapters.rewritten_file import read_rewritable, write_rewrite
    from d1_preflight.adapters.wrangler.staged_config import open_workspace

    before, first = read_rewritable(path), found.parts[0]
    home = path.parents[len(Path(first.name).parts) - 1]
    further = [(home / part.name, part.text) for part in found.parts[1:]]
    made = [new for new, _ in further]
    kept = write_rewrite(path, before, first.text, open_workspace(root), further)
    names = ", ".join(str(new) for new in made)
    say(f"preflight fix: wrote {path} and {names}; the earlier text is kept in {kept}")
    say("  The old down file no longer undoes it: write one for each part.")
    if arguments.unapplied:
        say(f"  {_UNAPPLIED}")


@contextmanager
def _bounded(path: Path) -> "Iterator[None]":
    """Stop what takes too long; UsageError then."""
    from d1_preflight.adapters.work_limit import SECONDS, TooMuchWork, work_limit

    try:
        with work_limit(SECONDS * _LONGER):
            yield
    except TooMuchWork as stopped:
        raise UsageError(
            f"Fixing {path} takes {stopped.words}: nothing was written.", hint="Split the file."
        ) from None


def proved_fix(arguments: argparse.Namespace, path: Path, rules: "Sequence[str]" = ()) -> "Fix":
    """The proved rewrite of a file among its siblings; UsageError where it takes too long."""
    from d1_preflight.core.remedies.fix import fix

    migration, prior, siblings = _among(arguments, path)
    with _bounded(path):
        return fix(migration, prior, siblings, rules=rules)


def tell_and_write(
    arguments: argparse.Namespace, path: Path, found: "Fix", *, show: bool = True
) -> int:
    """Say what a rewrite does, show it, and write it where that was agreed; the exit code."""
    _tell(path, found)
    if not found.is_offered:
        return 0
    if show and (arguments.diff or not arguments.write):
        write(as_diff(str(path), found.before, found.after), "The diff")
    if not _is_agreed(arguments, path):
        return 1
    _write(arguments, path, found)
    return 0


def _among(
    arguments: argparse.Namespace, path: Path
) -> "tuple[Migration, Schema, tuple[Migration, ...]]":
    """The migration, the schema that it meets, and the files of its folder."""
    from d1_preflight.adapters.baseline import read_baseline, read_naming
    from d1_preflight.core.analysis import baseline_schema, schema_after

    [ledger] = sources_of(arguments).paths([path])
    baseline = read_baseline(ledger.place.folder, Path.cwd())
    prior = baseline_schema(baseline) if baseline else None
    before = tuple(takewhile(lambda m: m.name not in ledger.wanted, ledger.migrations))
    naming = read_naming(ledger, Path.cwd())
    siblings = tuple(replace(m, naming=naming) for m in ledger.migrations)
    migration = next(m for m in siblings if m.name in ledger.wanted)
    return migration, schema_after((*ledger.earlier, *before), prior), siblings


def as_diff(name: str, before: str, after: str) -> str:
    """The rewrite as a unified diff that `git apply` takes; of a new file, where `before` is ""."""
    import difflib

    name = name.lstrip("/")
    lines = difflib.unified_diff(
        before.splitlines(keepends=True),
        after.splitlines(keepends=True),
        f"a/{name}" if before else "/dev/null",
        f"b/{name}",
    )
    ended = (
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
    return "".join(clean(line.replace("\r", "")) for line in ended)


def _tell(path: Path, found: "Fix") -> None:
    """Say what the rewrite does, what it leaves and why, and on what it was proved."""
    say(f"preflight fix: {path}: {'a rewrite is proved' if found.is_offered else 'no rewrite'}")
    for answer in found.done:
        say(f"  {answer.finding.line}: {answer.finding.rule}: {answer.what}")
    for (rule, reason), lines in found.reasons.items():
        say(f"  {', '.join(map(str, lines))}: {rule} stays: {reason}")
    for difference in found.proof.differences if found.is_offered else ():
        say(f"  the final schema differs from the author's: {difference}")
    if found.is_offered:
        say(f"  proved on {found.proof.rows}: no row or value of the author's is lost")
    for note in found.notes:
        say(f"  {note}")


def _is_agreed(arguments: argparse.Namespace, path: Path, what: str = "it") -> bool:
    """Whether it is to be written: said with --write, else asked at a terminal."""
    if arguments.write:
        return True
    if all(stream and stream.isatty() for stream in (sys.stdin, sys.stderr)):
        say(f"Write {path}? Type yes:")
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            return True
    say(f"preflight fix: nothing was written; --write writes {what}")
    return False


def _write(arguments: argparse.Namespace, path: Path, found: "Fix") -> None:
    from d1_preflight.adapters.rewritten_file import read_rewritable, write_rewrite
    from d1_preflight.adapters.wrangler.staged_config import open_workspace

    before = read_rewritable(path)
    if before.text != found.before:
        raise _changed(path)
    root = _refuse_applied(arguments, path)
    kept = write_rewrite(path, before, found.after, open_workspace(root))
    say(f"preflight fix: wrote {path}; the earlier text is kept in {kept}")
    if arguments.unapplied:
        say(f"  {_UNAPPLIED}")


def _refuse_applied(arguments: argparse.Namespace, path: Path) -> Path:
    """The project's root; raises UsageError where the file is applied or recorded, or may be."""
    from d1_preflight.board import Board, Remote

    try:
        context = _context(arguments)
    except PreflightError as error:
        if arguments.unapplied:
            return _home(path, Path.cwd())
        raise _unknown(path, error.message) from error
    real = os.path.realpath(path)
    names = {f.name for f in context.files() if f.path and os.path.realpath(f.path) == real}
    row = next((row for row in Board(context).rows() if row.name in names), None)
    _home(path, context.project.root)
    if row is None:
        if arguments.unapplied:
            return context.project.root
        raise _unknown(path, "it is no migration of this project")
    folder = context.project.records / row.name.removesuffix(".sql")
    if os.path.lexists(folder / "record.toml"):
        raise UsageError(
            f"{row.name} has a record: its steps rely on the text that they saw.",
            hint=f"Fix it in the wizard, which proves them again: preflight run {row.name}",
        )
    if arguments.unapplied:
        return context.project.root
    import asyncio

    state = asyncio.run(Board(context).refresh())
    remote = next((r.remote for r in state.rows if r.name == row.name), Remote.UNKNOWN)
    if remote is Remote.APPLIED:
        raise UsageError(
            f"{row.name} is applied: wrangler does not apply it again.",
            hint="Write the change as a new migration: preflight new NAME.",
        )
    if remote is Remote.UNKNOWN:
        raise _unknown(path, state.words)
    return context.project.root


def _home(path: Path, root: Path) -> Path:
    """`root`, where the file lies in a checkout or folder of ours; UsageError where outside."""
    from d1_preflight.adapters.regular_file import tree_of

    real = Path(os.path.realpath(path))
    if not any(real.is_relative_to(tree_of(folder)) for folder in (Path.cwd(), root)):
        raise UsageError(
            f"{path} lies outside of {tree_of(root)}.",
            hint="Only regular files inside the tree are rewritten. Nothing was changed.",
        )
    return root


def _changed(path: Path) -> "UsageError":
    return UsageError(
        f"{path} was changed meanwhile: the rewrite is for another text.",
        hint="Nothing was written. Fix it again.",
    )


def _unknown(path: Path, why: str) -> "UsageError":
    return UsageError(
        f"Whether {path} is applied is not known: {why}",
        hint="Nothing was written. If it is applied nowhere: --unapplied.",
    )

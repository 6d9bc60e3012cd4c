"""`preflight fix --rule several-changes`: one file for each logical change, all or none written."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight.commands.output import clean, say, write

if TYPE_CHECKING:
    from d1_preflight.core.project.migration import Migration
    from d1_preflight.core.remedies.patterns.split import Split
    from d1_preflight.core.remedies.remedy import NoRemedy
    from d1_preflight.core.schema.schema import Schema


def found_split(
    migration: "Migration", prior: "Schema", siblings: "Sequence[Migration]"
) -> "Split | NoRemedy":
    """The split of a migration among its siblings, named in their convention."""
    from d1_preflight.adapters.system import SystemClock
    from d1_preflight.core.remedies.patterns.split import names_at, split

    names = names_at(SystemClock().now(), migration, siblings)
    return split(migration, prior, siblings, names)


def tell_split(path: Path, found: "Split | NoRemedy") -> bool:
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


def show_split(path: Path, found: "Split") -> None:
    """The files as they would be, each behind its name."""
    texts = (f"== {path.with_name(Path(p.name).name)}\n{clean(p.text)}" for p in found.parts)
    write("\n".join(texts), "The split")


def write_split(
    arguments: argparse.Namespace, path: Path, found: "Split", root: Callable[[], Path]
) -> None:
    """Write the new files, then the first over the author's; none where one cannot be written."""
    from d1_preflight.adapters.rewritten_file import read_rewritable, write_rewrite
    from d1_preflight.adapters.wrangler.staged_config import open_workspace

    before, first = read_rewritable(path), found.parts[0]
    home = path.parents[len(Path(first.name).parts) - 1]
    further = [(home / part.name, part.text) for part in found.parts[1:]]
    made = [new for new, _ in further]
    kept = write_rewrite(path, before, first.text, open_workspace(root()), further)
    names = ", ".join(str(new) for new in made)
    say(f"preflight fix: wrote {path} and {names}; the earlier text is kept in {kept}")
    say("  The old down file no longer undoes it: write one for each part.")
    if arguments.unapplied:
        say("  You said with --unapplied that it is applied nowhere; no target was asked.")

"""What a plain `wrangler d1 migrations apply` would apply: file names that the ledger lacks."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from d1_preflight.core.project.migration import leading_number, ledger_key
from d1_preflight.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class PendingSet:
    """Files against ledger, all in wrangler's order.

    `extra` are ledger rows without a file (a renamed or deleted file: wrangler ignores them);
    `duplicates` are groups of file names that share a number; `late` are pending files whose
    number is lower than the highest applied one, which wrangler just applies.
    """

    names: tuple[str, ...] = ()
    applied: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    duplicates: tuple[tuple[str, ...], ...] = ()
    late: tuple[str, ...] = ()


def pending_set(files: Iterable[str], ledger: Iterable[str]) -> PendingSet:
    """Compare the migration files' names with the ledger's."""
    names = sorted(set(files), key=ledger_key)
    recorded = set(ledger)
    applied = [name for name in names if name in recorded]
    pending = [name for name in names if name not in recorded]
    highest = max((n for n in map(leading_number, recorded) if n is not None), default=None)
    return PendingSet(
        names=tuple(pending),
        applied=tuple(applied),
        extra=tuple(sorted(recorded - set(names), key=ledger_key)),
        duplicates=_duplicates(names),
        late=tuple(name for name in pending if _is_late(name, highest)),
    )


def _is_late(name: str, highest: int | None) -> bool:
    number = leading_number(name)
    return number is not None and highest is not None and number < highest


def _duplicates(names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    numbered = [name for name in names if leading_number(name) is not None]
    groups = (tuple(group) for _number, group in groupby(numbered, key=leading_number))
    return tuple(group for group in groups if len({name.split("/")[0] for name in group}) > 1)

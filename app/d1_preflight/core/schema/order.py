"""The order in which tables can be filled: parents before the children that refer to them."""

from collections.abc import Sequence

from d1_preflight.core.schema.table import Table


def parents_first(
    tables: Sequence[Table],
) -> tuple[tuple[Table, ...], tuple[str, ...]]:
    """Order tables so that each follows those it refers to, and name those that form cycles.

    Tables of a cycle come last, in the given order: only deferred foreign keys let them in.
    """
    waiting = {table.name.lower(): table for table in tables}
    ordered: list[Table] = []
    while waiting:
        ready = [
            table
            for name, table in waiting.items()
            if not any(
                key.parent.lower() in waiting and key.parent.lower() != name
                for key in table.foreign_keys
            )
        ]
        if not ready:
            return (*ordered, *waiting.values()), tuple(t.name for t in waiting.values())
        for table in ready:
            del waiting[table.name.lower()]
        ordered += ready
    return tuple(ordered), ()

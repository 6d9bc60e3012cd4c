"""The logical changes of a script: the statements that belong together, by the tables they share.

Statements belong together where one writes what the other writes or reads, or where a table that
one makes refers to a table that the other makes or changes.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import pairwise

from d1_preflight.core.engine.trace import ScriptTrace, StatementTrace
from d1_preflight.core.format import plural
from d1_preflight.lazy_dataclass import dataclass


class Deed(StrEnum):
    """What a change does, as people count it."""

    RENAME = "rename"
    DELETE = "delete"
    REBUILD = "rebuild"
    CREATE = "create"
    ADDITION = "addition"
    UPDATE = "update"


SERIOUS = frozenset({Deed.RENAME, Deed.DELETE, Deed.REBUILD, Deed.UPDATE})
"""What is hard to take back, and harder beside something else."""
_OBJECTS = ("INDEX", "TRIGGER", "VIEW")


@dataclass(frozen=True, slots=True)
class LogicalChange:
    """Statements that belong together, in order, and what they come to."""

    statements: tuple[StatementTrace, ...]
    deeds: tuple[Deed, ...]
    tables: tuple[str, ...]

    @property
    def is_serious(self) -> bool:
        """Whether anything of it is hard to take back."""
        return bool(SERIOUS.intersection(self.deeds))


def logical_changes(script: ScriptTrace, rebuilt: Iterable[str]) -> tuple[LogicalChange, ...]:
    """The changes in the order of their first statements; `rebuilt` are the rebuilt tables."""
    done = [trace for trace in script.statements if not trace.error and trace.verb != "PRAGMA"]
    groups = _Groups(len(done))
    writers: dict[str, int] = {}
    touched = [(_written(trace, script), _read(trace, script)) for trace in done]
    for number, (written, _) in enumerate(touched):
        for name in written:
            groups.join(number, writers.setdefault(name, number))
    for number, (_, read) in enumerate(touched):
        for name in read & writers.keys():
            groups.join(number, writers[name])
    names = frozenset(name.lower() for name in rebuilt)
    found = [_change([done[n] for n in members], script, names) for members in groups.all()]
    return tuple(change for change in found if change.deeds)


def deeds_words(changes: Iterable[LogicalChange]) -> str:
    """What the changes come to, counted: `2 renames, 1 delete`."""
    counts = Counter(deed for change in changes for deed in change.deeds)
    return ", ".join(plural(counts[deed], deed.value) for deed in Deed if counts[deed])


class _Groups:
    """Numbers joined into sets."""

    def __init__(self, count: int) -> None:
        self._root = list(range(count))

    def join(self, one: int, other: int) -> None:
        first, second = sorted((self._find(one), self._find(other)))
        self._root[second] = first

    def all(self) -> Iterator[list[int]]:
        found: dict[int, list[int]] = {}
        for number in range(len(self._root)):
            found.setdefault(self._find(number), []).append(number)
        yield from found.values()

    def _find(self, number: int) -> int:
        while self._root[number] != number:
            self._root[number] = self._root[self._root[number]]
            number = self._root[number]
        return number


def _written(trace: StatementTrace, script: ScriptTrace) -> frozenset[str]:
    """The tables that a statement makes, changes or removes, in lower case."""
    access = trace.access
    found = {*access.deletes, *access.inserts, *trace.made("table"), *trace.removed("table")}
    found |= {table for table, _ in (*access.updates, *access.trigger_updates)}
    verb, _, kind = trace.verb.partition(" ")
    if verb in ("CREATE", "DROP") and kind in _OBJECTS:
        found |= set(_tables_of_object(trace, script))
    else:
        found |= {trace.target, *([trace.parsed.new_name] if kind == "TABLE RENAME" else [])}
    return frozenset(name.lower() for name in found if name)


def _tables_of_object(trace: StatementTrace, script: ScriptTrace) -> Iterator[str]:
    """The table of an index or trigger; a view's own name."""
    name = trace.target.lower()
    for side in (script.new, script.old):
        for group in (side.indexes, side.triggers, side.views):
            if name in group:
                yield group[name].table
    words = [token.word for token in trace.parsed.tokens]
    if "ON" in words:
        yield trace.parsed.tokens[words.index("ON") + 1].name


def _read(trace: StatementTrace, script: ScriptTrace) -> frozenset[str]:
    """The tables that a statement reads, and those that a new table or column refers to."""
    found = {table.lower() for table, _ in trace.access.reads}
    if trace.verb in ("CREATE TABLE", "ALTER TABLE ADD COLUMN"):
        pairs = pairwise(trace.parsed.tokens)
        found |= {token.name.lower() for before, token in pairs if before.word == "REFERENCES"}
    if trace.verb in ("CREATE VIEW", "CREATE TRIGGER"):
        known = script.new.tables.keys() | script.old.tables.keys()
        found |= {t.name.lower() for t in trace.parsed.tokens if t.name.lower() in known}
    return frozenset(found)


def _change(
    traces: list[StatementTrace], script: ScriptTrace, rebuilt: frozenset[str]
) -> LogicalChange:
    tables = {name for trace in traces for name in _written(trace, script)}
    known = {t.name for n, t in (*script.old.tables.items(), *script.new.tables.items())
             if n in tables}  # fmt: skip
    deeds: list[Deed] = [Deed.REBUILD] * len(rebuilt & tables)
    for trace in traces:
        deeds += _deeds(trace, script, rebuilt)
    return LogicalChange(tuple(traces), tuple(deeds), tuple(sorted(known)))


def _deeds(trace: StatementTrace, script: ScriptTrace, rebuilt: frozenset[str]) -> Iterator[Deed]:
    """What one statement counts as; what a rebuild is made of does not count by itself."""
    old, new, target = script.old.tables, script.new.tables, trace.target.lower()
    stays = target in old and target in new
    match trace.verb:
        case "ALTER TABLE RENAME COLUMN":
            yield Deed.RENAME
        case "ALTER TABLE RENAME" if target in old and target not in rebuilt:
            yield Deed.RENAME
        case "DROP TABLE" if target in old and target not in rebuilt:
            yield Deed.DELETE
        case "ALTER TABLE DROP COLUMN":
            yield Deed.DELETE
        case "DELETE" if stays and target not in rebuilt:
            yield Deed.DELETE
        case "CREATE TABLE" if target in new and target not in old:
            yield Deed.CREATE
        case "ALTER TABLE ADD COLUMN" if target in old:
            yield Deed.ADDITION
        case "UPDATE" if stays and target not in rebuilt:
            yield Deed.UPDATE
        case "INSERT" if stays and target not in rebuilt:
            yield Deed.ADDITION
        case "CREATE INDEX" | "CREATE TRIGGER" | "CREATE VIEW":
            tables = {name.lower() for name in _tables_of_object(trace, script)}
            if not tables & rebuilt and (tables & old.keys() or trace.verb == "CREATE VIEW"):
                yield Deed.ADDITION

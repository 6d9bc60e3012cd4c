"""What a script does to objects that no file makes: they may be there, made outside of the files.

IF EXISTS is only written where something may exist, and a base schema is often made by hand.
"""

from collections.abc import Iterator

from d1_preflight.core.engine.trace import ScriptTrace, StatementTrace
from d1_preflight.lazy_dataclass import dataclass

_KINDS = ("TABLE", "VIEW", "INDEX", "TRIGGER")


@dataclass(frozen=True, slots=True)
class OutsideChange:
    """A statement that drops an object, or deletes or changes rows, that no file makes."""

    kind: str  # table, column, view, index, trigger, rows, or values
    name: str
    trace: StatementTrace
    remade: bool = False  # whether the file makes an object of that name afterwards
    scratch: bool = False  # made and gone again in this file: the leftover of a failed attempt

    @property
    def loses_rows(self) -> bool:
        """Whether rows go, if the table is there."""
        return self.kind in ("table", "rows") and not self.scratch

    @property
    def loses(self) -> bool:
        """Whether rows or values go, if it is there."""
        return self.loses_rows or self.kind == "column"

    @property
    def words(self) -> str:
        """The change in one sentence."""
        does = {
            "rows": f'Deletes rows of "{self.name}"',
            "values": f'Changes rows of "{self.name}"',
        }.get(self.kind, f'Drops {self.kind} "{self.name}"')
        return f"{does}, if it exists: no file creates it."


def outside_changes(script: ScriptTrace) -> tuple[OutsideChange, ...]:
    """All of them, in the order of the file; () where the whole schema is known."""
    return () if script.is_whole else tuple(_changes(script))


def _changes(script: ScriptTrace) -> Iterator[OutsideChange]:
    made, lenient = set(script.made_before), _Lenient(script)
    last = {name: trace.statement.start for trace in script.statements for name in _made(trace)}
    there = {*script.new.tables, *script.new.views, *script.new.indexes, *script.new.triggers}
    for trace in script.statements:
        name = trace.target.lower()
        action, _, kind = trace.verb.partition(" ")
        before = trace.statement.start
        is_unknown = name not in made and script.is_unknown(name, before=before)
        remade = last.get(name, -1) > trace.statement.start
        gone = remade and name not in there
        if action == "DROP" and kind in _KINDS and is_unknown and not trace.dropped:
            yield OutsideChange(kind.lower(), trace.target, trace, remade and not gone, gone)
        elif trace.verb == "DELETE" and is_unknown and script.missing(trace):
            yield OutsideChange("rows", trace.target, trace)
        else:
            yield from lenient.changes(trace, remade=remade and not gone, stays=name in there)
        lenient.note(trace, is_unknown=is_unknown)
        made.update(_made(trace))


class _Lenient:
    """The tables that a file makes with IF NOT EXISTS: one of that name may be there, with rows."""

    def __init__(self, script: ScriptTrace) -> None:
        self._known = script.old.tables
        self._names: dict[str, str] = {}  # what they were called first
        self._filled: set[str] = set()

    def note(self, trace: StatementTrace, *, is_unknown: bool) -> None:
        """Note what a statement makes, fills or renames."""
        name = trace.target.lower()
        if trace.verb == "CREATE TABLE" and trace.parsed.lenient and is_unknown:
            self._names[name] = trace.target
        elif trace.verb == "INSERT":
            self._filled.add(name)
        elif trace.verb == "ALTER TABLE RENAME" and name in self._names:
            first = self._names.pop(name)
            self._names |= {new: first for new in _made(trace) if new not in self._known}
            self._filled |= set(_made(trace)) if name in self._filled else set()

    def changes(
        self, trace: StatementTrace, *, remade: bool, stays: bool
    ) -> Iterator[OutsideChange]:
        """What a statement does to rows that are there already; one of scratch is told as such."""
        name = trace.target.lower()
        table = self._names.get(name)
        if table is None or trace.error:
            return
        if trace.verb == "DROP TABLE":
            yield OutsideChange("table", table, trace, remade, scratch=name in self._filled)
        elif trace.verb == "ALTER TABLE DROP COLUMN":
            yield OutsideChange("column", f"{table}.{trace.parsed.column}", trace)
        elif trace.verb == "DELETE" and stays:
            yield OutsideChange("rows", table, trace)
        elif trace.verb == "UPDATE":
            yield OutsideChange("values", table, trace)


def _made(trace: StatementTrace) -> Iterator[str]:
    return (name.lower() for _, name in trace.created)

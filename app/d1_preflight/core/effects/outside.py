"""What a script does to objects that no file makes: they may be there, made outside of the files.

IF EXISTS is only written where something may exist, and a base schema is often made by hand.
"""

from collections.abc import Iterator

from d1_preflight.core.engine.trace import ScriptTrace, StatementTrace
from d1_preflight.lazy_dataclass import dataclass

_KINDS = ("TABLE", "VIEW", "INDEX", "TRIGGER")


@dataclass(frozen=True, slots=True)
class OutsideChange:
    """A statement that drops an object, or deletes rows, that no file makes."""

    kind: str  # table, view, index, trigger, or rows
    name: str
    trace: StatementTrace
    remade: bool = False  # whether the file makes an object of that name afterwards
    scratch: bool = False  # made and gone again in this file: the leftover of a failed attempt

    @property
    def loses_rows(self) -> bool:
        """Whether rows go, if the table is there."""
        return self.kind in ("table", "rows") and not self.scratch

    @property
    def words(self) -> str:
        """The change in one sentence."""
        does = f'Deletes rows of "{self.name}"'
        if self.kind != "rows":
            does = f'Drops {self.kind} "{self.name}"'
        return f"{does}, if it is there: no file makes it."


def outside_changes(script: ScriptTrace) -> tuple[OutsideChange, ...]:
    """All of them, in the order of the file; () where the whole schema is known."""
    return () if script.is_whole else tuple(_changes(script))


def _changes(script: ScriptTrace) -> Iterator[OutsideChange]:
    made, lenient = set(script.made_before), set[str]()
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
        elif trace.verb == "DELETE" and (
            (is_unknown and script.missing(trace)) or (name in lenient and name in there)
        ):
            yield OutsideChange("rows", trace.target, trace)
        if trace.verb == "CREATE TABLE" and trace.parsed.lenient and is_unknown:
            lenient.add(name)
        made.update(_made(trace))


def _made(trace: StatementTrace) -> Iterator[str]:
    return (name.lower() for _, name in trace.created)

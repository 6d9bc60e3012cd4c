"""The schema before and after, beside each other; a rename is one line, not a loss and a gain."""

import re
from collections.abc import Iterator, Sequence

from textual.content import Content

from d1_preflight.core.findings import Effects
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.record.change_facts import SchemaChange
from d1_preflight.core.sql.statement import read_statement
from d1_preflight.core.sql.tokenizer import each_statement
from d1_preflight.lazy_dataclass import dataclass
from d1_preflight.tui.styles import DANGER, QUIET, STRONG
from d1_preflight.tui.widgets.panes import beside

_SIDES, _LEFT, _WHEN = 72, 0.44, ("before", "after")
_RENAMES = ("ALTER TABLE RENAME COLUMN", "ALTER TABLE RENAME")
_CREATED = re.compile(r"create\s+(?:(unique|virtual)\s+)?(?:index|trigger|view|table)\s+(.*)",
                      re.IGNORECASE | re.DOTALL)  # fmt: skip
_INNER_SPACE = re.compile(r"(?<=\()\s+|\s+(?=[,)])")
_SIGNS = {"added": "+", "removed": "−", "changed": "~", "renamed": "→"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One line of the diff: what an object was, and what it is."""

    change: str
    object: str
    before: str
    after: str
    declared: bool | None = None
    words: str = ""


def differences(
    changes: Sequence[SchemaChange], migration: Migration, effects: Effects
) -> tuple[Difference, ...]:
    """The changes as they are drawn: what was renamed stands in one line with its new name."""
    pairs = dict(_renamed(changes, migration, effects))
    came = set(pairs.values())
    return tuple(
        _difference(change, changes[pairs[at]] if at in pairs else None)
        for at, change in enumerate(changes)
        if at not in came
    )


def schema_block(found: Sequence[Difference], width: int) -> Content:
    """Before and after in two panes, below their width one line each."""
    if not found:
        return Content("")
    if width < _SIDES:
        lines = [Content.styled("schema", QUIET), *map(_line, found)]
        return Content("\n").join(lines)
    before, after = (Content.styled(f"schema {when}", QUIET) for when in _WHEN)
    titles = _sides(before, after, width)
    return Content("\n").join([titles, *(_sides(_before(d), _after(d), width) for d in found)])


def _sides(left: Content, right: Content, width: int) -> Content:
    return beside(lambda _: left, lambda _: right, width, _LEFT)


def _line(one: Difference) -> Content:
    words = {
        "renamed": f"{one.before} → {one.after}  renamed",
        "changed": f"{one.before} → {one.after}",
        "added": one.after,
        "removed": one.before,
    }[one.change]
    text = f"  {_SIGNS[one.change]} {one.object} {words}"
    return Content.assemble(text, _undeclared(one), (_note(one), QUIET))


def _before(one: Difference) -> Content:
    if one.change == "added":
        return Content("")
    sign = _SIGNS[one.change] if one.change == "removed" else " "
    ink = STRONG if one.change == "removed" else ""
    return Content.styled(f"{sign} {one.object} {one.before}", ink)


def _after(one: Difference) -> Content:
    if one.change == "removed":
        return Content.assemble(("gone", QUIET), _undeclared(one), (_note(one), QUIET))
    words = "  renamed" if one.change == "renamed" else ""
    sign = "+" if one.change == "added" else " "
    shown = Content.styled(f"{sign} {one.object} {one.after}", STRONG)
    return Content.assemble(shown, _undeclared(one), (f"{words}{_note(one)}", QUIET))


def _note(one: Difference) -> str:
    return f"  {one.words}" if one.words else ""


def _undeclared(one: Difference) -> tuple[str, str]:
    return ("  ✗ not declared", DANGER) if one.declared is False else ("", "")


def _difference(change: SchemaChange, new: SchemaChange | None) -> Difference:
    head = f"{change.object} {change.name} "
    told = change.words.removeprefix(head)
    if new is not None:
        after = new.name.rpartition(".")[2]
        declared = None if change.declared and new.declared else change.declared
        return Difference("renamed", change.object, change.name, after, declared)
    if told == change.words:  # words of its own, not those of the comparison
        sides = {"added": ("", change.name), "removed": (change.name, "")}
        before, after = sides.get(change.change, (change.name, change.name))
        return Difference(
            change.change, change.object, before, after, change.declared, change.words
        )
    name = change.name
    if change.change == "added":
        text = told.removeprefix("is new").removeprefix(": ")
        return Difference("added", change.object, "", _named(name, text), change.declared)
    if change.change == "removed":
        text = told.removeprefix("is gone").removeprefix(": ")
        return Difference("removed", change.object, _named(name, text), "", change.declared)
    was, _, now = told.removeprefix("was ").partition(", is ")
    return Difference("changed", change.object, _named(name, was), now, change.declared)


def _named(name: str, text: str) -> str:
    """The name and its definition; a definition that says the name itself is not doubled."""
    if not text or text in ("CHECK", "UNIQUE"):
        return name
    if created := _CREATED.fullmatch(text):
        kind = f" {created[1].lower()}" if created[1] else ""
        return f"{_INNER_SPACE.sub('', created[2])}{kind}"
    return text if name.lower() in text.lower() else f"{name} {text}"


def _renamed(
    changes: Sequence[SchemaChange], migration: Migration, effects: Effects
) -> Iterator[tuple[int, int]]:
    """The places of a removed part and of its new name: by RENAME, else by the definition."""
    gone, new = (_places(changes, kind) for kind in ("removed", "added"))
    told = _told(migration) if gone and new else {}
    for place, old in gone.items():
        wanted = told.get(old.name.lower(), "")
        found = [n for n, one in new.items()
                 if one.object == old.object and one.name.lower() == wanted]  # fmt: skip
        if not found and old.name in effects.columns_renamed:
            found = [n for n, one in new.items() if _is_same(old, one)]
        if len(found) == 1:
            del new[found[0]]
            yield place, found[0]


def _places(changes: Sequence[SchemaChange], kind: str) -> dict[int, SchemaChange]:
    return {
        at: change
        for at, change in enumerate(changes)
        if change.change == kind and change.object in ("column", "table")
    }


def _is_same(old: SchemaChange, new: SchemaChange) -> bool:
    """Whether two columns of one table have the same definition."""
    tables = {one.name.rpartition(".")[0].lower() for one in (old, new)}
    texts = {one.words.partition(": ")[2] for one in (old, new)}
    return len(tables) == len(texts) == 1 and new.object == "column"


def _told(migration: Migration) -> dict[str, str]:
    """The names that ALTER TABLE … RENAME gives, from the first to the last, in lower case."""
    told: dict[str, str] = {}
    for statement in each_statement(migration.text):
        parsed = read_statement(statement.body)
        if parsed.verb not in _RENAMES:
            continue
        table, column = parsed.target.lower(), parsed.column.lower()
        old = f"{table}.{column}" if column else table
        new = f"{table}.{parsed.new_name.lower()}" if column else parsed.new_name.lower()
        first = next((name for name, later in told.items() if later == old), old)
        told[first] = new
    return told

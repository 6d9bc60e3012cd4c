"""The questions of `preflight new` at a terminal: which pattern, which table, what of it."""

import argparse
import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from d1_preflight import plain
from d1_preflight.commands.patterns import Start, wanted_of
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.errors import UsageError
from d1_preflight.core.remedies.patterns.pattern import Pattern, Wanted
from d1_preflight.core.remedies.patterns.rebuild import definition_of
from d1_preflight.core.schema.schema import Structure, structure

if TYPE_CHECKING:
    from d1_preflight.core.schema.table import Table
    from d1_preflight.plain.asker import Asker

_EMPTY = "an empty file with its header"
_WORDS = {
    Pattern.COLUMN: "add a column",
    Pattern.TABLE: "create a table",
    Pattern.RENAME: "rename a column",
    Pattern.REBUILD: "change or drop a column by a rebuild",
    Pattern.DATA: "change the values of a column",
}


def ask_pattern(arguments: argparse.Namespace, asker: "Asker | None" = None) -> None:
    """Ask what the migration is to do, where somebody can answer."""
    asker = asker or _asker()
    if asker is None:
        return
    words = {text: pattern.value for pattern, text in _WORDS.items()}
    chosen = plain.choose(asker, f"What should {arguments.name} do?", (*words, _EMPTY))
    if not chosen:
        raise UsageError("Nothing was chosen, and nothing was written.")
    arguments.pattern = words.get(chosen, "")


def ask_rest(arguments: argparse.Namespace, start: Start, asker: "Asker | None" = None) -> Wanted:
    """What the arguments ask for, and what a person answers where they say too little."""
    wanted = wanted_of(arguments)
    asker = asker or _asker()
    return wanted if asker is None else _Questions(asker, structure(start.schema)).rest(wanted)


def _asker() -> "Asker | None":
    try:
        return plain.open_asker(os.environ)
    except UsageError:
        return None


class _Questions:
    """Asks for what a wish lacks; an empty answer leaves it as it is, and is refused later."""

    def __init__(self, asker: "Asker", now: "Structure") -> None:
        self._asker, self._now = asker, now
        self._choose = partial(plain.choose, asker)

    def rest(self, wanted: Wanted) -> Wanted:
        """The wish with its answers."""
        if wanted.pattern is Pattern.TABLE:
            return self._new_table(wanted)
        if not wanted.table:
            tables = [t.name for n, t in self._now.tables.items() if n not in self._now.inner]
            wanted = replace(wanted, table=self._choose("Which table?", sorted(tables)))
        table = self._now.table(wanted.table)
        if table is None:
            return wanted
        match wanted.pattern:
            case Pattern.COLUMN:
                return self._new_column(wanted)
            case Pattern.RENAME:
                wanted = self._column(wanted, table)
                return replace(wanted, to=wanted.to or self._text("Its new name?"))
            case Pattern.REBUILD:
                return self._shape(wanted, table)
            case _:
                return self._values(self._column(wanted, table))

    def _new_table(self, wanted: Wanted) -> Wanted:
        if not wanted.table:
            wanted = replace(wanted, table=self._text("What is the new table called?"))
        columns = list(wanted.columns)
        while not wanted.columns:
            label = "A column, as in a CREATE TABLE (empty: no more)"
            definition = self._text(label, "id TEXT PRIMARY KEY NOT NULL" if not columns else "")
            if not definition:
                break
            columns.append(definition)
        return replace(wanted, columns=tuple(columns))

    def _new_column(self, wanted: Wanted) -> Wanted:
        if wanted.columns:
            return wanted
        label = "Which column, as in a CREATE TABLE? (last_login_at INTEGER)"
        return replace(wanted, columns=tuple(filter(None, [self._text(label)])))

    def _column(self, wanted: Wanted, table: "Table") -> Wanted:
        if wanted.column:
            return wanted
        return replace(wanted, column=self._choose("Which column?", table.data_columns))

    def _shape(self, wanted: Wanted, table: "Table") -> Wanted:
        if not (wanted.columns or wanted.drop):
            wanted = self._column(wanted, table)
            label = f"The new definition of {wanted.column} (empty: drop the column)"
            text = self._text(label, definition_of(table, wanted.column))
            drop = () if text else (wanted.column,)
            wanted = replace(wanted, columns=tuple(filter(None, [text])), drop=drop)
        if wanted.drop and not wanted.reason:
            label = f"Why may the values of {', '.join(wanted.drop)} be lost? (one sentence)"
            wanted = replace(wanted, reason=self._text(label))
        return wanted

    def _values(self, wanted: Wanted) -> Wanted:
        if wanted.expression or wanted.pairs:
            return wanted
        text = self._text(f"The new value of {wanted.column}, as SQL? (lower({wanted.column}))")
        where = wanted.where or self._text("In which rows, as SQL? (empty: where it differs)")
        return replace(wanted, expression=text, where=where)

    def _text(self, label: str, offered: str = "") -> str:
        import asyncio

        prompt = Prompt("answer", PromptKind.TEXT, label, offered=offered, optional=True)
        return " ".join(str(asyncio.run(self._asker.ask(prompt)) or "").split())

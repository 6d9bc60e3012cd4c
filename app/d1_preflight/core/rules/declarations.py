"""Declared losses: `-- preflight: loses table — reason`, or `table.column`, in a real comment.

A declaration is bound to its file and covers what it names, no more: a column's does not cover the
table's rows, and a table's covers no other table. It answers `lint` alone; the wizard asks again.
"""

import re
from collections.abc import Collection, Iterable, Iterator

from d1_preflight.core.findings import Finding
from d1_preflight.core.rules.context import Match, RuleContext
from d1_preflight.core.sql.tokenizer import TokenKind, all_tokens, unquote
from d1_preflight.lazy_dataclass import dataclass, replace

_NAME = r'(?:"[^"\n]+"|`[^`\n]+`|\[[^\]\n]+\]|[\w$]+)'
_LOSES = re.compile(
    rf"preflight:\s*loses\s+(?P<table>{_NAME})(?:\s*\.\s*(?P<column>{_NAME}))?"
    r"(?:\s*(?:—|–|--|-|:)\s*(?P<reason>[^\n]*))?"
)


@dataclass(frozen=True, slots=True)
class Declaration:
    """One declared loss: all of a table (no column), or one column's values."""

    table: str
    column: str
    reason: str
    line: int

    @property
    def name(self) -> str:
        """What it names."""
        return f"{self.table}.{self.column}" if self.column else self.table

    def covers(self, loss: tuple[str, str]) -> bool:
        """Whether a loss (a table, and a column or "" for rows) is what it names, or part of it."""
        table, column = loss
        same = self.table.lower() == table.lower()
        return same and self.column.lower() in ("", column.lower()) and bool(self.reason)


def declarations_of(context: RuleContext) -> tuple[Declaration, ...]:
    """The declared losses of a file."""
    if "preflight:" not in context.text:
        return ()
    return tuple(
        Declaration(
            unquote(found["table"]),
            unquote(found["column"] or ""),
            (found["reason"] or "").removesuffix("*/").strip(),
            context.text.count("\n", 0, token.start) + 1,
        )
        for token in all_tokens(context.text)
        if token.kind is TokenKind.COMMENT and (found := _LOSES.search(token.text))
    )


def declared(found: Iterable[Finding], given: Collection[Declaration]) -> Iterator[Finding]:
    """The findings; where every loss of one is declared, with the reasons."""
    for finding in found:
        covering = {
            loss: next((one for one in given if one.covers(loss)), None) for loss in finding.losses
        }
        if covering and all(covering.values()):
            reasons = dict.fromkeys(one.reason for one in covering.values() if one)
            yield replace(finding, declared="; ".join(reasons))
        else:
            yield finding


def unused_declarations(
    given: Iterable[Declaration], found: Collection[Finding]
) -> Iterator[Match]:
    """The declarations that change nothing, each with why."""
    losses = {loss for finding in found for loss in finding.losses}
    for one in given:
        if not one.reason:
            why = "it gives no reason"
        elif not any(one.covers(loss) for loss in losses):
            why = "the file loses nothing of that name, or loses more"
        else:
            continue
        values = {"said": f"loses {one.name}", "why": why}
        yield Match(one.line, 1, one.line, 1, values)

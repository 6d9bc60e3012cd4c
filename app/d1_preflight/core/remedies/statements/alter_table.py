"""Writes an ALTER TABLE as SQLite takes it: one action in each, and without IF EXISTS."""

from collections.abc import Iterator, Sequence

from d1_preflight.core.findings import Finding
from d1_preflight.core.remedies.edits import BREAKPOINT, Edit, newline
from d1_preflight.core.remedies.remedy import NOT_FOUND, NoRemedy, Reading, Rewrite
from d1_preflight.core.sql.tokenizer import Token, outside, tokens

_ALTERED = 3  # ALTER TABLE and the name


def one_action_each(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """A statement for each action, in the author's order."""
    trace = reading.trace_of(finding)
    found = tokens(trace.statement.body, limit=len(trace.statement.body)) if trace else []
    if trace is None or [t.word for t in found[:2]] != ["ALTER", "TABLE"]:
        return NOT_FOUND
    start, end = trace.statement.begin, newline(reading.text)
    part = f"{BREAKPOINT}{end}" if BREAKPOINT in reading.text else ""
    again = f"{part}ALTER TABLE {found[2].text} "
    edits = list[Edit]()
    for comma, action in _between_actions(found[_ALTERED:]):
        place, begin = start + comma.start, start + action.start
        if "\n" in reading.text[place:begin]:  # comments stay where they are
            edits += [Edit(place, place + 1, ";"), Edit(begin, begin, again)]
        else:
            edits.append(Edit(place, begin, f";{end}{again}"))
    return Rewrite(tuple(edits), "writes a statement for each action", repairs=True)


def without_if_exists(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """IF [NOT] EXISTS taken out: the ledger makes sure that a file runs once."""
    trace = reading.trace_of(finding)
    found = tokens(trace.statement.body, limit=len(trace.statement.body)) if trace else []
    at = next((n for n, token in enumerate(found) if token.word == "IF"), None)
    if trace is None or at is None:
        return NOT_FOUND
    last = at + (2 if found[at + 1 : at + 2] and found[at + 1].word == "NOT" else 1)
    if found[last : last + 1] == [] or found[last].word != "EXISTS" or not found[last + 1 :]:
        return NOT_FOUND
    edit = Edit.of(trace, found[at], found[last + 1].text, found[last + 1])
    return Rewrite((edit,), "removes IF EXISTS: the file runs once", repairs=True)


def _between_actions(found: Sequence[Token]) -> Iterator[tuple[Token, Token]]:
    """Each comma outside of parentheses, and the token after it."""
    return ((t, found[n + 1]) for n, t in outside(found[:-1]) if t.text == ",")

"""Puts in a `;` that is missing between two statements, where there is one place for it alone.

D1's engine decides: each part must be accepted on the schema that the parts before it leave.
"""

from collections.abc import Iterator
from contextlib import closing
from itertools import islice, pairwise

from d1_preflight.core.engine.sandbox import Sandbox
from d1_preflight.core.engine.trace import StatementTrace
from d1_preflight.core.findings import Finding
from d1_preflight.core.remedies.edits import Edit, edited
from d1_preflight.core.remedies.remedy import NoRemedy, Reading, Rewrite
from d1_preflight.core.sql.tokenizer import TokenKind, all_tokens

_BEGINS = frozenset(
    {
        *("ALTER", "ANALYZE", "CREATE", "DELETE", "DROP", "END", "EXPLAIN", "INSERT", "PRAGMA"),
        *("REINDEX", "REPLACE", "SELECT", "UPDATE", "VALUES", "WITH"),
    }
)
_SYNTAX = "syntax error"
_MOST_TRIALS = 60
_LONGEST = 100_000
_NOWHERE = NoRemedy("A missing ; does not explain it: D1 refuses the text wherever one is added.")
_AMBIGUOUS = NoRemedy("A ; could be missing in more than one place: only its author knows where.")
_TOO_LONG = NoRemedy("The statement is too long to look for a missing ; in it.")


def between_statements(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """Put the `;` in, if D1 takes each part, and takes them for one division alone."""
    trace = reading.trace_of(finding)
    if trace is None or "incomplete input" in trace.error:
        return _NOWHERE
    if len(trace.statement.text) > _LONGEST:
        return _TOO_LONG
    search = _Search(reading)
    found = list(islice(search.divisions(reading.text, ()), 2))
    if search.is_over:
        return _TOO_LONG
    if len(found) != 1:
        return _AMBIGUOUS if found else _NOWHERE
    edits = tuple(Edit(place, place, ";") for place in found[0])
    lines = ", ".join(str(reading.text.count("\n", 0, place) + 1) for place in found[0])
    return Rewrite(edits, f"ends the statement on line {lines} with ;", repairs=True)


class _Search:
    """Tries every place in the first refused statement, then in the one that is refused next."""

    def __init__(self, reading: Reading) -> None:
        self._prior = reading.prior
        self._left = _MOST_TRIALS
        self._others = frozenset(
            trace.statement.body
            for trace in reading.context.statements
            if trace.error and _SYNTAX not in trace.error
        )

    @property
    def is_over(self) -> bool:
        """Whether there were more places than are tried."""
        return self._left <= 0

    def divisions(self, text: str, put: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        """The places of the author's text at which a `;` makes every statement acceptable."""
        refused = self._refused(edited(text, (Edit(p, p, ";") for p in put)))
        if refused is None:
            yield put
            return
        if _SYNTAX not in refused.error or self.is_over:
            return
        begin = refused.statement.start - len(put)
        for place in _places(text, begin, refused.statement.end - len(put)):
            tried = (*put, place)
            again = self._refused(edited(text, (Edit(p, p, ";") for p in tried)))
            if again is None or again.statement.start - len(tried) >= place:
                yield from self.divisions(text, tried)

    def _refused(self, text: str) -> StatementTrace | None:
        """The first statement that D1 does not take, but for those that no `;` would mend."""
        self._left -= 1
        with closing(Sandbox(self._prior)) as sandbox:
            traces = sandbox.run(text).statements
        refused = (trace for trace in traces if trace.error or trace.aborted)
        return next((trace for trace in refused if trace.statement.body not in self._others), None)


def _places(text: str, begin: int, end: int) -> Iterator[int]:
    """Behind each token after which a statement, or the END of a trigger, may begin."""
    depth = 0
    tokens = [t for t in all_tokens(text[begin:end]) if t.kind is not TokenKind.COMMENT]
    for before, token in pairwise(tokens):
        depth += {"(": 1, ")": -1}.get(before.text, 0)
        if depth == 0 and before.text != ";" and token.word in _BEGINS:
            yield begin + before.end

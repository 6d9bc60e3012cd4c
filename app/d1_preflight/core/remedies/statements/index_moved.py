"""Moves a CREATE INDEX that stands before its table's rebuild behind it."""

import re

from d1_preflight.core.engine.trace import StatementTrace
from d1_preflight.core.findings import Finding
from d1_preflight.core.remedies.edits import insert_after, without
from d1_preflight.core.remedies.remedy import NoRemedy, Reading, Rewrite

_LENIENT = re.compile(r"\s+IF\s+NOT\s+EXISTS\b", re.IGNORECASE)


def made_behind(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """Take the statement out, and write it after the new table has the old name."""
    index = reading.trace_of(finding)
    old = reading.context.old.indexes.get(index.target.lower()) if index else None
    named = _named(reading, old.table.lower()) if old else None
    if index is None or named is None:
        return NoRemedy("No RENAME gives the new table the name that the index is on.")
    again = f"{_LENIENT.sub('', index.statement.body.rstrip().rstrip(';'), count=1)};"
    edits = (
        without(reading.text, index.statement),
        insert_after(reading.text, named.statement, [again]),
    )
    what = f"creates index {index.target} after the rebuild"
    return Rewrite(edits, what, (("index", index.target.lower()),))


def _named(reading: Reading, table: str) -> StatementTrace | None:
    """The last statement that gives a table this name."""
    renames = reading.context.statements_of("ALTER TABLE RENAME")
    found = [trace for trace in renames if trace.parsed.new_name.lower() == table]
    return max(found, key=lambda trace: trace.statement.start, default=None)

"""Remedies of indexes: one made before its table's rebuild, and a full-text one left empty."""

import re

from d1_preflight.core.engine.trace import StatementTrace
from d1_preflight.core.findings import Finding
from d1_preflight.core.remedies.edits import insert_after, without
from d1_preflight.core.remedies.remedy import NOT_FOUND, NoRemedy, Reading, Rewrite
from d1_preflight.core.schema.full_text import full_text
from d1_preflight.core.sql.tokenizer import quote_name

_LENIENT = re.compile(r"\s+IF\s+NOT\s+EXISTS\b", re.IGNORECASE)
_OWN_TEXT = NoRemedy("The index stores its own text: only the author knows which rows fill it.")


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


def filled_when_made(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """Fill the index right after the statement that makes it."""
    trace = reading.trace_of(finding)
    if trace is None or not trace.made("table"):
        return NOT_FOUND
    edit = insert_after(reading.text, trace.statement, [_filling(trace.target)])
    return Rewrite((edit,), f"fills the full-text index {trace.target}")


def filled_at_the_end(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """Fill the indexes over the tables of a finding again behind the last statement."""
    about = {name.lower() for name in finding.tables}
    names = [
        table.name
        for table in reading.context.new.tables.values()
        if table.is_virtual
        and (declared := full_text(table.sql))
        and {table.name.lower(), (declared.content or "").lower()} & about
        and declared.content
    ]
    if not names or not reading.context.statements:
        return _OWN_TEXT
    last = reading.context.statements[-1].statement
    edit = insert_after(reading.text, last, [_filling(name) for name in names])
    return Rewrite((edit,), f"fills the full-text index {', '.join(names)} again")


def _filling(index: str) -> str:
    name = quote_name(index)
    return f"INSERT INTO {name}({name}) VALUES ('rebuild');"

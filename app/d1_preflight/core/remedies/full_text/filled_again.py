"""Fills a full-text index from the table that holds its text."""

from d1_preflight.core.findings import Finding
from d1_preflight.core.remedies.edits import insert_after
from d1_preflight.core.remedies.remedy import NOT_FOUND, NoRemedy, Reading, Rewrite
from d1_preflight.core.schema.full_text import full_text
from d1_preflight.core.sql.tokenizer import quote_name

_OWN_TEXT = NoRemedy("The index stores its own text: only the author knows which rows fill it.")


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

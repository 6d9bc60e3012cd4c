"""Takes the views and triggers that a rebuild would break aside, and makes them again behind it.

Between the DROP TABLE of a rebuild and its RENAME they name a table that is not there, and D1
refuses the RENAME.
"""

import re

from d1_preflight.core.engine.trace import StatementTrace
from d1_preflight.core.findings import Finding
from d1_preflight.core.remedies.edits import insert_after, insert_before
from d1_preflight.core.remedies.remedy import NoRemedy, Reading, Rewrite
from d1_preflight.core.schema.schema import SchemaObject, Structure
from d1_preflight.core.sql.tokenizer import quote_name

_IN = re.compile(r"error in (?:view|trigger) (.+?)(?: after \w+)?: ")
_MISSING = re.compile(r"no such (?:table|view): (?:main\.)?(.+)")
_NOT_HERE = NoRemedy(
    "This RENAME does not recreate what it names: only the author knows whether to drop the view "
    "or trigger too."
)


def recreated_after(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """Drop the view or trigger before the table, and make it again after the RENAME."""
    rename = reading.trace_of(finding)
    named = _IN.search(rename.error) if rename else None
    drop = _drop_before(reading, rename) if rename else None
    if rename is None or named is None or drop is None:
        return _NOT_HERE
    held = _held(reading.structure_at(drop.statement.start), named[1])
    if not held:
        return _NOT_HERE
    first = held[0]
    edits = (
        insert_before(
            reading.text, drop.statement, [f"DROP {first.kind.upper()} {quote_name(first.name)};"]
        ),
        insert_after(reading.text, rename.statement, [f"{one.sql};" for one in held]),
    )
    what = f"drops {first.kind} {first.name} before the rebuild and creates it again after it"
    return Rewrite(edits, what, repairs=True)


def _drop_before(reading: Reading, rename: StatementTrace) -> StatementTrace | None:
    """The statement of the rebuild after which the old name is not there."""
    wanted = rename.parsed.new_name.lower()
    missing = _MISSING.search(rename.error)
    made_later = {
        trace.target.lower()
        for trace in reading.context.statements_of("CREATE VIEW")
        if trace.statement.start > rename.statement.start
    }
    if missing is None or missing[1].lower() not in {wanted, *made_later}:
        return None
    drops = reading.context.statements_of("DROP TABLE")
    before = [t for t in drops if t.statement.start < rename.statement.start and not t.error]
    return next((t for t in reversed(before) if t.target.lower() == wanted), None)


def _held(now: Structure, name: str) -> tuple[SchemaObject, ...]:
    """The view or trigger of this name, and the triggers that go with a view."""
    lower = name.lower()
    found = now.views.get(lower) or now.triggers.get(lower)
    if found is None:
        return ()
    on_it = (t for t in now.triggers.values() if found.kind == "view" and t.table.lower() == lower)
    return (found, *on_it)

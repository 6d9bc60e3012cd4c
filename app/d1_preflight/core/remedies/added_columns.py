"""Remedies of ADD COLUMN over rows: the default that fits, or a fill after it."""

from d1_preflight.core.engine.trace import StatementTrace
from d1_preflight.core.findings import Finding
from d1_preflight.core.remedies.edits import Edit, insert_after
from d1_preflight.core.remedies.remedy import NoRemedy, Reading, Rewrite
from d1_preflight.core.schema.ddl import default_in
from d1_preflight.core.schema.table import Column
from d1_preflight.core.sql.tokenizer import quote_name, tokens

_NOT_FOUND = NoRemedy("The ADD COLUMN was not found.")
_EMPTY = {"TEXT": "''", "INTEGER": "0", "REAL": "0.0", "NUMERIC": "0", "BLOB": "x''"}


def filled_not_null(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """Give a NOT NULL column the empty value of its type, where the file fills it itself."""
    trace, column = _added(reading, finding)
    if trace is None or column is None:
        return _NOT_FOUND
    fills = [
        later
        for later in reading.context.statements_of("UPDATE")
        if later.target.lower() == trace.target.lower()
        and column.name.lower() in {name.lower() for name in later.parsed.columns}
        and later.statement.start > trace.statement.start
    ]
    if not fills:
        return NoRemedy(
            f"Only the author knows which value existing rows get in {column.name}: add a "
            "DEFAULT, or an UPDATE after it."
        )
    last = [t for t in trace.parsed.tokens if t.text != ";"][-1]
    edit = Edit.behind(trace, last, f" DEFAULT {_EMPTY[column.affinity]}")
    what = f"gives {column.name} a default, which the UPDATE then replaces"
    return Rewrite((edit,), what, _differs(trace, column))


def filled_later(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """Take a default that D1 does not add out, and fill the old rows with it."""
    trace, column = _added(reading, finding)
    if trace is None or column is None or column.default is None:
        return _NOT_FOUND
    if column.notnull:
        return NoRemedy(
            f"{column.name} is NOT NULL: D1 adds it only with a constant default. Write one, or "
            "leave NOT NULL out."
        )
    edit = _without_default(trace)
    if edit is None:
        return _NOT_FOUND
    name, value = quote_name(column.name), _value(column.default)
    fill = f"UPDATE {quote_name(trace.target)} SET {name} = {value} WHERE {name} IS NULL;"
    after = insert_after(reading.text, trace.statement, [fill])
    what = f"adds {column.name} without its default and fills the existing rows"
    return Rewrite((edit, after), what, _differs(trace, column))


def virtual(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """Make a STORED column VIRTUAL."""
    trace, column = _added(reading, finding)
    token = next((t for t in trace.parsed.tokens if t.word == "STORED"), None) if trace else None
    if trace is None or column is None or token is None:
        return _NOT_FOUND
    edit = Edit.of(trace, token, "VIRTUAL")
    return Rewrite((edit,), f"makes {column.name} VIRTUAL", _differs(trace, column))


def _added(reading: Reading, finding: Finding) -> tuple[StatementTrace | None, Column | None]:
    trace = reading.trace_of(finding)
    table = reading.context.new.table(trace.target) if trace else None
    column = table.column(trace.parsed.column) if trace and table else None
    return trace, column


def _differs(trace: StatementTrace, column: Column) -> tuple[tuple[str, str], ...]:
    return (("column", f"{trace.target}.{column.name}".lower()),)


def _without_default(trace: StatementTrace) -> Edit | None:
    found, begin = trace.parsed.tokens, trace.statement.begin
    default = default_in(found)
    if not default:
        return None
    before = found[found.index(default[0]) - 2]
    return Edit(begin + before.end, begin + default[-1].end, "")


def _value(default: str) -> str:
    found = tokens(default, limit=len(default))
    return default if len(found) == 1 else f"({default})"

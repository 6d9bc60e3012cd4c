"""Remedies of INSERTs: columns by name, names in quotes that are text, REPLACE as an upsert."""

from collections.abc import Iterator

from d1_preflight.core.engine.trace import Access, StatementTrace
from d1_preflight.core.findings import Finding
from d1_preflight.core.remedies.edits import Edit
from d1_preflight.core.remedies.remedy import NOT_FOUND, NoRemedy, Reading, Rewrite
from d1_preflight.core.schema.table import Table
from d1_preflight.core.sql.statement import read_statement
from d1_preflight.core.sql.tokenizer import (
    Token,
    closing,
    outside,
    quote_name,
    quote_names,
    quote_text,
    statements,
)


def named_columns(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """Write the columns of both sides in place of SELECT *."""
    trace = reading.trace_of(finding)
    copied = trace.parsed.copy if trace else None
    if trace is None or copied is None:
        return NOT_FOUND
    now = reading.structure_at(trace.statement.start)
    source, target = now.table(copied.source), now.table(trace.target)
    stars = [e for e in copied.expressions if e and e[-1].text == "*"]
    if not source or not target or len(copied.expressions) != 1 or len(stars[0]) != 1:
        return NoRemedy("The columns of its SELECT are not those of one known table.")
    names, into = source.data_columns, trace.parsed.columns or target.data_columns
    if [n.lower() for n in names] != [n.lower() for n in into[: len(names)]]:
        if not trace.parsed.columns and {n.lower() for n in names} == {n.lower() for n in into}:
            into = names
        else:
            return NoRemedy(
                "The column names of both sides differ: only the author knows which goes where."
            )
    edits = [Edit.of(trace, stars[0][0], quote_names(names))]
    if not trace.parsed.columns:
        edits.append(Edit.behind(trace, _name_in(trace), f" ({quote_names(into)})"))
    return Rewrite(tuple(edits), f"names the columns that are copied into {trace.target}")


def text_in_quotes(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """Write a quoted name as text, or as the column of the source that was renamed to it."""
    trace = reading.trace_of(finding)
    token = _token_at(trace, finding) if trace else None
    if trace is None or token is None or token.text[:1] != '"':
        return NOT_FOUND
    if finding.blocks or (finding.rows_at_risk and trace.parsed.copy):
        if trace.parsed.copy is None:
            return NoRemedy(f'It is unknown whether "{token.name}" is a column or text.')
        return _missing_column(reading, trace, token)
    edit = Edit.of(trace, token, quote_text(token.name))
    return Rewrite((edit,), f"writes {token.text} as the text that SQLite takes it for")


def upserted(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """Write every INSERT OR REPLACE into the table as an upsert on the primary key."""
    first = reading.trace_of(finding)
    if first is None or first.verb != "INSERT":
        return NoRemedy("Only an INSERT OR REPLACE can be written as an upsert.")
    edits: list[Edit] = []
    kept: list[str] = []
    table: Table | None = None
    for trace in _replacing(reading, first.target):
        if trace in reading.context.done:  # like ones meet the same table
            table = reading.structure_at(trace.statement.start).table(trace.target)
        names = trace.parsed.columns or (table.data_columns if table else ())
        why = _no_upsert(reading, trace, table, names)
        if table is None or why:
            return NoRemedy(why or "The table was not found.")
        kept += [n for n in table.data_columns if n.lower() not in {m.lower() for m in names}]
        edits += _upsert_edits(trace, names, table)
    words = f"; it keeps {', '.join(dict.fromkeys(kept))}" if kept else ""
    return Rewrite(tuple(edits), f"writes INSERT OR REPLACE as an upsert{words}")


def _replacing(reading: Reading, table: str) -> Iterator[StatementTrace]:
    """Every INSERT OR REPLACE into a table, those too that were not traced for being alike."""
    traced = {trace.statement.start: trace for trace in reading.context.done}
    skips = reading.context.script.count > len(reading.context.statements)
    for statement in statements(reading.text) if skips else ():
        if statement.start not in traced:
            parsed = read_statement(statement.body)
            traced[statement.start] = StatementTrace(statement, parsed, Access())
    for _, trace in sorted(traced.items()):
        parsed = trace.parsed
        if (parsed.verb, parsed.conflict, parsed.target.lower()) == (
            "INSERT", "REPLACE", table.lower()
        ):  # fmt: skip
            yield trace


def _no_upsert(
    reading: Reading, trace: StatementTrace, table: Table | None, names: tuple[str, ...]
) -> str:
    key = [name.lower() for name in table.primary_key] if table else []
    if table is None or trace.parsed.upsert or not key:
        return "The table has no primary key, which an upsert needs."
    if not set(key) <= {n.lower() for n in names}:
        return "It does not write the primary key, which an upsert needs."
    if table.unique or _unique_indexes(reading, table, trace):
        return f"{table.name} has another unique key: only the author knows which row should stay."
    return ""


def _upsert_edits(trace: StatementTrace, names: tuple[str, ...], table: Table) -> tuple[Edit, ...]:
    statement, found = trace.statement, trace.parsed.tokens
    start = statement.begin
    first = next(t for t in found if t.word in ("INSERT", "REPLACE"))
    into = next(t for t in found if t.word == "INTO")
    key = {name.lower() for name in table.primary_key}
    sets = ", ".join(
        f"{quote_name(n)} = excluded.{quote_name(n)}" for n in names if n.lower() not in key
    )
    does = f"UPDATE SET {sets}" if sets else "NOTHING"
    clause = f" ON CONFLICT ({', '.join(map(quote_name, table.primary_key))}) DO {does}"
    if trace.parsed.copy and not any(t.word == "WHERE" for _, t in outside(found)):
        clause = f" WHERE true{clause}"  # without it ON would be read as a join's
    body = statement.body.rstrip()
    end = len(body) - body.endswith(";")
    return (
        Edit(start + first.start, start + into.start, "INSERT "),
        Edit(start + end, start + end, clause),
    )


def _missing_column(reading: Reading, trace: StatementTrace, token: Token) -> Rewrite | NoRemedy:
    """A copy that reads a column which the source has not: the default fills it."""
    copied = trace.parsed.copy
    now = reading.structure_at(trace.statement.start)
    target = now.table(trace.target)
    alone = [
        n
        for n, e in enumerate(copied.expressions if copied else ())
        if [t.text for t in e] == [token.text]
    ]
    names = trace.parsed.columns
    if copied is None or target is None or len(alone) != 1 or len(names) <= alone[0]:
        return NoRemedy(f'It is unknown whether "{token.name}" is a column or text.')
    column = target.column(names[alone[0]])
    needed = column is not None and column.notnull and column.default is None
    if column is None or (needed and column.name != target.rowid_column):
        return NoRemedy(
            f"The old table has no column {token.name}, and the new one needs a value (NOT NULL)."
        )
    return Rewrite(
        (*left_out(trace, alone[0]),),
        f"leaves {column.name} out of the copy: the old table has no such column",
        values=frozenset({f"{_final_name(reading, trace.target)}.{column.name}".lower()}),
    )


def _final_name(reading: Reading, name: str) -> str:
    for trace in reading.context.statements_of("ALTER TABLE RENAME"):
        if trace.target.lower() == name.lower():
            name = trace.parsed.new_name
    return name


def left_out(trace: StatementTrace, place: int) -> tuple[Edit, Edit]:
    """The n-th column taken out of both lists of a copy."""
    start = trace.statement.begin
    found = trace.parsed.tokens
    opening = next(n for n, t in enumerate(found) if t.text == "(")
    names = [t for t in found[opening + 1 : closing(found, opening)] if t.text != ","]
    copied = trace.parsed.copy
    parts = list(copied.expressions) if copied else []
    return (
        _without_item(start, [(t,) for t in names], place),
        _without_item(start, parts, place),
    )


def _without_item(start: int, items: list[tuple[Token, ...]], place: int) -> Edit:
    """One item of a list taken out, with the comma that sets it apart."""
    item = items[place]
    begin, end = item[0].start, item[-1].end
    if place + 1 < len(items):
        end = items[place + 1][0].start
    elif place:
        before = items[place - 1][-1]
        begin = before.end
    return Edit(start + begin, start + end, "")


def _name_in(trace: StatementTrace) -> Token:
    """The target's name of an INSERT."""
    found = trace.parsed.tokens
    at = next(n for n, t in enumerate(found) if t.word == "INTO") + 1
    return found[at + 2 if at + 2 < len(found) and found[at + 1].text == "." else at]


def _token_at(trace: StatementTrace, finding: Finding) -> Token | None:
    place = (finding.line, finding.column)
    lead = trace.statement.lead
    return next(
        (t for t in trace.parsed.tokens if trace.statement.place(lead + t.start) == place), None
    )


def _unique_indexes(reading: Reading, table: Table, trace: StatementTrace) -> bool:
    now = reading.structure_at(trace.statement.start)
    return any(
        index.table.lower() == table.name.lower() and "UNIQUE" in index.sql[:20].upper()
        for index in now.indexes.values()
    )

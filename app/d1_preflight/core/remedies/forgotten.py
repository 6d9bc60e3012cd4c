"""Puts back what a rebuild forgot: constraints into the new CREATE TABLE, objects at its end.

A rebuild whose only change is what it takes away is left alone: that is its purpose.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from d1_preflight.core.effects.row_lineage import TableLineage
from d1_preflight.core.engine.trace import StatementTrace
from d1_preflight.core.findings import Finding
from d1_preflight.core.remedies.copies import left_out
from d1_preflight.core.remedies.edits import Edit, insert_after, insert_before
from d1_preflight.core.remedies.remedy import NoRemedy, Reading, Rewrite
from d1_preflight.core.schema.ddl import column_definition, definitions
from d1_preflight.core.schema.schema import SchemaObject, Structure, compare
from d1_preflight.core.schema.table import Column, ForeignKey, Table
from d1_preflight.core.sql.tokenizer import (
    Token,
    closing,
    quote_name,
    quote_names,
    quote_text,
    tokens,
)

_PURPOSE = (
    "It is the only change of this rebuild, so it may be intended. If it is not, name the rule: "
    "preflight fix --rule {rule}."
)
_NOT_FOUND = NoRemedy("The CREATE TABLE of the new table was not found.")
CONSTRAINTS = (
    *("not-null-forgotten", "default-forgotten", "collation-forgotten", "generated-forgotten"),
    *("check-forgotten", "unique-forgotten", "foreign-key-forgotten", "strict-forgotten"),
    *("without-rowid-forgotten", "autoincrement-forgotten"),
)
"""The rules that `constraint_again` answers, in the order in which they are tried."""
_OBJECTS = {"index-forgotten": "index", "trigger-forgotten": "trigger"}


def object_again(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """Create the forgotten indexes and triggers of a rebuilt table again, at the end of it."""
    context = reading.context
    lineage = _rebuilt(reading, finding)
    kind = _OBJECTS[finding.rule]
    gone = [
        found
        for name, found in context.old.of(kind).items()
        if found.table.lower() == _table_of(finding)
        and name not in context.new.of(kind)
        and f'"{found.name}"' in finding.message
    ]
    last = _last_of(reading, lineage) if lineage else None
    if gone and lineage is None:
        views = reading.context.statements_of("CREATE VIEW")  # of a view that is made again
        last = next((trace for trace in views if trace.target.lower() == _table_of(finding)), None)
    if not gone or last is None:
        return NoRemedy("It belongs to no table that this file rebuilds.")
    lines = [f"{found.sql};" for found in gone]
    missing = _missing_columns(context.new.table(_table_of(finding)), gone[0], context.old)
    if missing:
        return NoRemedy(f"The new table has no {', '.join(missing)}, which it uses.")
    edit = insert_after(reading.text, last.statement, lines)
    differs = tuple((kind, found.name.lower()) for found in gone)
    return Rewrite((edit,), f"creates {kind} {gone[0].name} again", differs)


def constraint_again(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """Write what the new table lacks into its CREATE TABLE."""
    context, name = reading.context, _table_of(finding)
    old, new, create = context.old.table(name), context.new.table(name), _create_of(reading, name)
    if old is None or new is None or create is None or create.parsed.copy:
        return _NOT_FOUND
    if finding.rule not in reading.asked and not _has_another_purpose(reading, old, new):
        return NoRemedy(_PURPOSE.format(rule=finding.rule))
    gone = _gone_with_columns(finding, old, new)
    if gone:
        return NoRemedy(f"The new table has no {', '.join(gone)}, which it uses.")
    editor = _TableEditor(create)
    differs = tuple(_written(finding, editor, old, new))
    if finding.rule == "generated-forgotten":
        editor.edits += _left_out_of_copies(reading, create.target, differs)
    if not differs or not editor.edits:
        return NoRemedy("No place for it was found in the new CREATE TABLE.")
    return Rewrite(tuple(editor.edits), f"adds it to the new {new.name}", differs)


def foreign_key_once(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """Take the foreign key below the columns out, where its column says the same."""
    trace = reading.trace_of(finding)
    table = reading.context.new.table(trace.target) if trace else None
    if trace is None or table is None or trace.verb != "CREATE TABLE":
        return _NOT_FOUND
    twice = {key for key in table.foreign_keys if table.foreign_keys.count(key) > 1}
    parts = list(definitions(trace.parsed.tokens))
    for before, part in pairwise(parts):
        words = [token.word for token in part]
        at = words.index("FOREIGN") if "FOREIGN" in words else len(words)
        names = tuple(token.name.lower() for token in part[at + 3 : at + 4])
        if any(tuple(c.lower() for c in key.columns) == names for key in twice):
            edits = tuple(_without_part(trace, before[-1], part))
            differs = (("foreign key", f"{table.name}.{names[0]}".lower()),)
            return Rewrite(edits, f"declares the foreign key ({names[0]}) once", differs)
    return NoRemedy("The two foreign keys differ: only the author knows which one is right.")


def _without_part(trace: StatementTrace, before: Token, part: Sequence[Token]) -> Iterator[Edit]:
    """A definition and the comma before it taken out; a comment between them stays."""
    start, body = trace.statement.begin, trace.statement.body
    comma = next(t.start for t in trace.parsed.tokens if t.start > before.start and t.text == ",")
    blanks = len(body[comma + 1 : part[0].start].rstrip())
    yield Edit(start + comma, start + comma + 1, "")
    yield Edit(start + comma + 1 + blanks, start + part[-1].end, "")


def mark_carried(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """Carry the AUTOINCREMENT mark over to the new table."""
    lineage = _rebuilt(reading, finding)
    drop = lineage.dropped_by if lineage else None
    create = _create_of(reading, _table_of(finding))
    if lineage is None or drop is None or create is None:
        return _NOT_FOUND
    if drop.verb != "DROP TABLE" or create.target.lower() == lineage.table.lower():
        return NoRemedy("The old table is renamed first and takes its counter along.")
    old, new = quote_text(lineage.table), quote_text(create.target)
    carried = f"SELECT {new}, seq FROM sqlite_sequence WHERE name = {old}"
    lines = [
        f"DELETE FROM sqlite_sequence WHERE name = {new};",
        f"INSERT INTO sqlite_sequence (name, seq) {carried};",
    ]
    edit = insert_before(reading.text, drop.statement, lines)
    return Rewrite((edit,), f"carries over the AUTOINCREMENT counter of {lineage.table}")


def _left_out_of_copies(
    reading: Reading, target: str, columns: Sequence[tuple[str, str]]
) -> Iterator[Edit]:
    """Generated columns taken out of the copies into the new table."""
    names = {name.partition(".")[2] for _, name in columns}
    for trace in reading.context.statements_of("INSERT"):
        if trace.target.lower() == target.lower() and trace.parsed.copy:
            places = [n for n, c in enumerate(trace.parsed.columns) if c.lower() in names]
            yield from (edit for place in places for edit in left_out(trace, place))


class _TableEditor:
    """Edits of one CREATE TABLE of the author's."""

    def __init__(self, create: StatementTrace) -> None:
        self.edits: list[Edit] = []
        self.target = create.target
        self._sql = create.statement.body
        self._at = create.statement.begin
        self._tokens = tokens(self._sql, limit=len(self._sql))
        opening = next((n for n, t in enumerate(self._tokens) if t.text == "("), len(self._tokens))
        self._closing = closing(self._tokens, opening)

    def column(self, name: str) -> tuple[Token, ...]:
        """The tokens of one column's definition."""
        for part in definitions(self._tokens):
            if part and part[0].name.lower() == name.lower():
                return part
        return ()

    def numbered(self, name: str) -> bool:
        """Write AUTOINCREMENT behind a column's PRIMARY KEY; whether it stands with the column."""
        for before, token in pairwise(self.column(name)):
            if before.word == "PRIMARY" and token.word == "KEY":
                self._insert(token.end, " AUTOINCREMENT")
                return True
        return False

    def append(self, part: Sequence[Token], text: str) -> None:
        """Write behind a definition."""
        self._insert(part[-1].end, f" {text}")

    def constraint(self, text: str) -> None:
        """Write a table constraint behind the last definition."""
        last = self._tokens[self._closing - 1]
        line = self._sql.rfind("\n", 0, last.start) + 1
        begin = self._sql[line : last.start]
        indent = begin[: len(begin) - len(begin.lstrip())] if line else ""
        self._insert(last.end, f",\n{indent}{text}" if line else f", {text}")

    def option(self, word: str) -> None:
        """Write a table option behind the closing parenthesis."""
        if self._closing >= len(self._tokens):
            return
        after = [t for t in self._tokens[self._closing + 1 :] if t.text != ";"]
        place = self._tokens[self._closing].start + 1
        self._insert(place, f" {word}{',' if after else ''}")

    def replace(self, part: Sequence[Token], text: str) -> None:
        """Put another definition in place."""
        self.edits.append(Edit(self._at + part[0].start, self._at + part[-1].end, text))

    def _insert(self, place: int, text: str) -> None:
        self.edits.append(Edit(self._at + place, self._at + place, text))


def _written(
    finding: Finding, editor: _TableEditor, old: Table, new: Table
) -> Iterator[tuple[str, str]]:
    """Write one finding's part; gives what differs then from the author's schema."""
    table = new.name.lower()
    match finding.rule:
        case "strict-forgotten":
            editor.option("STRICT")
            yield "option", f"{table}.strict"
            yield from (("column", f"{table}.{name}".lower()) for name in new.primary_key)
        case "without-rowid-forgotten":
            editor.option("WITHOUT ROWID")
            yield "option", f"{table}.without rowid"
            yield from (("column", f"{table}.{name}".lower()) for name in new.primary_key)
        case "autoincrement-forgotten":
            if editor.numbered(new.rowid_column):
                yield "option", f"{table}.autoincrement"
        case "check-forgotten":
            for check in old.checks:
                if check not in new.checks and finding.message.endswith(f"has CHECK {check}."):
                    editor.constraint(f"CHECK {_as_written(old, check)}")
                    yield "check", "check"
        case "unique-forgotten":
            for unique in old.unique:
                names = ", ".join(unique)
                if all(f'"{name}"' in finding.message for name in unique):
                    editor.constraint(f"UNIQUE ({', '.join(map(quote_name, unique))})")
                    yield "unique", f"{table}.{names.lower()}"
        case "foreign-key-forgotten":
            for key in old.foreign_keys:
                names = f"({', '.join(key.columns)})"
                if names in finding.message and f'"{key.parent}"' in finding.message:
                    editor.constraint(_key_sql(key, old.name, editor.target))
                    yield "foreign key", f"{table}.{', '.join(key.columns)}".lower()
        case _:
            yield from _column_written(finding, editor, old, new)


def _column_written(
    finding: Finding, editor: _TableEditor, old: Table, new: Table
) -> Iterator[tuple[str, str]]:
    for column in old.columns:
        now, part = new.column(column.name), editor.column(column.name)
        if now is None or not part or f'"{new.name}"."{column.name}"' not in finding.message:
            continue
        words = _column_words(finding.rule, column, old)
        if finding.rule == "generated-forgotten":
            editor.replace(part, words)
        elif words:
            editor.append(part, words)
        yield "column", f"{new.name}.{column.name}".lower()


def _column_words(rule: str, column: Column, old: Table) -> str:
    if rule == "not-null-forgotten":
        return "NOT NULL"
    if rule == "default-forgotten":
        return f"DEFAULT {_default(column)}"
    if rule == "collation-forgotten":
        return f"COLLATE {column.collation}"
    if rule == "generated-forgotten":
        return column_definition(old.sql, column.name)
    return ""


def _default(column: Column) -> str:
    text = column.default or "NULL"
    found = tokens(text, limit=len(text))
    simple = len(found) == 1 or (len(found) == 2 and found[0].text in "+-")  # noqa: PLR2004
    return text if simple or text.startswith("(") else f"({text})"


def _as_written(old: Table, check: str) -> str:
    """A CHECK as the old CREATE TABLE has it, letter by letter."""
    found = tokens(old.sql, limit=len(old.sql))
    for n, token in enumerate(found):
        if token.word == "CHECK" and n + 1 < len(found) and found[n + 1].text == "(":
            last = found[closing(found, n + 1)]
            words = " ".join(t.text.lower() if t.word else t.text for t in found[n + 1 :])
            if words.startswith(check):
                return old.sql[found[n + 1].start : last.start + 1]
    return check


def _key_sql(key: ForeignKey, own: str, new: str) -> str:
    """The key; one to the table itself names the new table, which the rename then follows."""
    parent = new if key.parent.lower() == own.lower() else key.parent
    text = f"FOREIGN KEY ({quote_names(key.columns)}) REFERENCES {quote_name(parent)}"
    text += f" ({quote_names(key.parent_columns)})" if key.parent_columns else ""
    for when, action in (("DELETE", key.on_delete), ("UPDATE", key.on_update)):
        text += f" ON {when} {action}" if action != "NO ACTION" else ""
    return text


_TAKEN_AWAY = frozenset({"check", "unique", "foreign key", "option", "index"})


def _gone_with_columns(finding: Finding, old: Table, new: Table) -> list[str]:
    """The columns that a forgotten CHECK or UNIQUE is about and that are gone."""
    if finding.rule not in ("check-forgotten", "unique-forgotten"):
        return []
    found = tokens(finding.message, limit=len(finding.message))
    named = {t.name.lower() for t in found}
    return [c for c in old.column_names if c.lower() in named and not new.column(c)]


def _has_another_purpose(reading: Reading, old: Table, new: Table) -> bool:
    """Whether the rebuild changes more of the table than what it takes away."""
    start = f"{new.name.lower()}."
    for change in compare(reading.context.old, reading.context.new):
        if not change.name.lower().startswith(start) or change.object == "index":
            continue
        if change.kind == "removed" and change.object in _TAKEN_AWAY:
            continue
        column = change.name[len(start) :]
        before, after = old.column(column), new.column(column)
        if change.object == "column" and before and after and _only_less(before, after):
            continue
        if change.object == "option" and change.after == "no":
            continue
        return True
    return False


def _only_less(before: Column, after: Column) -> bool:
    """Whether a column differs only in what it no longer has."""
    same = before.type.lower() == after.type.lower() and bool(before.pk) == bool(after.pk)
    default = after.default in (before.default, None)
    needs = before.notnull or not after.notnull
    collation = after.collation in (before.collation, "BINARY")
    return same and default and needs and collation


def _rebuilt(reading: Reading, finding: Finding) -> TableLineage | None:
    wanted = _table_of(finding)
    return next((x for x in reading.context.rebuilt if x.table.lower() == wanted), None)


def _table_of(finding: Finding) -> str:
    return finding.tables[0].lower() if finding.tables else ""


def _create_of(reading: Reading, name: str) -> StatementTrace | None:
    """The CREATE TABLE whose table bears this name in the end."""
    renames = {
        trace.parsed.new_name.lower(): trace.target.lower()
        for trace in reading.context.statements_of("ALTER TABLE RENAME")
    }
    wanted = renames.get(name, name)
    made = [t for t in reading.context.statements_of("CREATE TABLE") if t.made("table")]
    return next((t for t in reversed(made) if t.target.lower() == wanted), None)


def _last_of(reading: Reading, lineage: TableLineage) -> StatementTrace | None:
    """The last statement that makes, fills or names the new table, or puts rows back into it."""
    name = lineage.table.lower()
    found = [lineage.filled_by, lineage.dropped_by]
    for trace in reading.context.done:
        named = trace.parsed.new_name.lower() if trace.verb == "ALTER TABLE RENAME" else ""
        if named == name or (trace.target.lower() == name and trace.verb.startswith("CREATE")):
            found.append(trace)
        if name in trace.parsed.target.lower() and trace.verb == "INSERT":
            found.append(trace)
        if trace.verb == "CREATE INDEX" and any(
            t.name.lower() == name for t in trace.parsed.tokens
        ):
            found.append(trace)
    return max((t for t in found if t), key=lambda t: t.statement.start, default=None)


def _missing_columns(new: Table | None, found: SchemaObject, old: Structure) -> list[str]:
    """The columns that an object names and that its table no longer has."""
    known = old.table(found.table)
    if new is None or known is None:
        return []
    named = {t.name.lower() for t in tokens(found.sql, limit=len(found.sql))}
    return [c for c in known.column_names if c.lower() in named and not new.column(c)]

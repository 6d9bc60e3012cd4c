"""Keeps the rows of every descendant while the table that they refer to is rebuilt.

D1 keeps foreign keys on, so the DROP TABLE of a rebuild deletes or empties what refers to it. The
descendants' rows are copied aside before, taken out leaf first, and put back parents first, once
the new table bears the old name. The author's own statements stay as they are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from d1_preflight.core.effects.row_lineage import TableLineage
from d1_preflight.core.engine.trace import StatementTrace
from d1_preflight.core.findings import Finding
from d1_preflight.core.remedies.edits import Edit, insert_after, insert_before, without
from d1_preflight.core.remedies.in_place import altered_in_place
from d1_preflight.core.remedies.remedy import NoRemedy, Reading, Rewrite
from d1_preflight.core.schema.full_text import full_text
from d1_preflight.core.schema.schema import SchemaObject, Structure
from d1_preflight.core.schema.table import Table, parents_first
from d1_preflight.core.sql.tokenizer import quote_name, quote_names

_DEFER = "PRAGMA defer_foreign_keys = on;"
_FOR_GOOD = (
    '"{table}" is dropped for good, and so are the rows or references that point to it. '
    "Only the author knows which of them may go."
)
_OTHER_ROWS = (
    'Only the author knows which rows the new "{table}" holds, and which rows that '
    "refer to them stay."
)


def parked_children(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """Park the rows of all descendants of the table that the finding's statement drops."""
    trace = reading.trace_of(finding)
    if trace is None or trace.verb != "DROP TABLE":
        return NoRemedy(
            "The statement deletes rows and the rows that refer to them: only the author knows "
            "which may go."
        )
    plan = plan_of(reading, trace)
    if isinstance(plan, NoRemedy):
        return plan
    whole = altered_in_place(reading, plan.lineage)
    if whole is not None:
        return whole
    edits = tuple(plan.edits(reading))
    differs: tuple[tuple[str, str], ...] = ()
    if plan.leaving.verb == "ALTER TABLE RENAME":  # which took the children's keys along
        differs = tuple(
            ("foreign key", f"{child.name}.{', '.join(key.columns)}".lower())
            for child, _ in plan.kept
            for key in child.foreign_keys
        )
    own = [t for t in plan.triggers if t.table.lower() == plan.lineage.table.lower()]
    back = [t.name.lower() for t in own if t.name.lower() not in reading.context.new.triggers]
    differs += tuple(("trigger", name) for name in back)
    names = ", ".join(table.name for table in plan.descendants) or "nothing"
    return Rewrite(
        edits, f"sets the rows of {names} aside while {plan.lineage.table} is rebuilt", differs
    )


def own_reference(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """Let the new table of a rebuild refer to itself by its present name."""
    table = finding.tables[0].lower() if finding.tables else ""
    copy = _new_table(reading, table)
    if copy is None:
        return NoRemedy("The CREATE TABLE of the new table was not found.")
    edits = []
    found = copy.parsed.tokens
    for before, token in pairwise(found):
        if before.word == "REFERENCES" and token.name.lower() == table:
            edits.append(Edit.of(copy, token, quote_name(copy.target)))
    if not edits:
        return NoRemedy("No REFERENCES to the old table was found in it.")
    return Rewrite(tuple(edits), f"lets {copy.target} refer to itself until the rename")


def deferred_to_the_end(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """Take defer_foreign_keys = off out, and park what the check at the end would stop at."""
    trace = reading.trace_of(finding)
    if trace is None:
        return NoRemedy("The statement was not found.")
    edits = [without(reading.text, trace.statement)]
    what = "removes defer_foreign_keys = off, so that the check runs at commit"
    for drop in reading.context.statements_of("DROP TABLE"):
        plan = plan_of(reading, drop)
        if isinstance(plan, ParkingPlan) and plan.descendants and not plan.lineage.losses:
            edits += plan.edits(reading)
            what += f"; sets the rows that refer to {plan.lineage.table} aside"
    return Rewrite(tuple(edits), what)


@dataclass(frozen=True, slots=True)
class ParkingPlan:
    """What is parked around which statements."""

    lineage: TableLineage
    leaving: StatementTrace  # drops the old table, or renames it away
    filled: StatementTrace  # after it the new table has the name and the rows
    descendants: tuple[Table, ...]
    kept: tuple[tuple[Table, str], ...]  # those that are there afterwards, with the name then
    triggers: tuple[SchemaObject, ...]
    rowids: frozenset[str]
    in_circle: bool
    made_again: frozenset[str]  # the triggers that the author's file creates behind it

    def edits(self, reading: Reading) -> Iterator[Edit]:
        """The statements before the drop, and those after the rename."""
        text = reading.text
        if self.descendants or self.leaving.verb == "ALTER TABLE RENAME":
            yield from self._leave(text, list(self._park()))
        if self.kept or self.triggers:
            yield insert_after(text, self.filled.statement, list(self._put_back()))

    def _leave(self, text: str, lines: list[str]) -> Iterator[Edit]:
        statement = self.leaving.statement
        if self.leaving.verb != "ALTER TABLE RENAME":
            yield insert_before(text, statement, lines)
            return
        old, new = quote_name(self.leaving.target), quote_name(self.leaving.parsed.new_name)
        aside = f"CREATE TABLE {new} AS SELECT * FROM {old};"
        yield insert_before(text, statement, [aside, *lines])
        yield Edit(statement.begin, statement.end, f"DROP TABLE {old};")

    def _park(self) -> Iterator[str]:
        if self.in_circle:
            yield _DEFER
        for table, _ in self.kept:
            chosen = quote_names(table.data_columns)
            if table.name.lower() in self.rowids:
                chosen = f'{table.rowid} AS "_row", {chosen}'
            yield f"CREATE TABLE {_parked(table)} AS SELECT {chosen} FROM {quote_name(table.name)};"
        for trigger in self.triggers:
            yield f"DROP TRIGGER {quote_name(trigger.name)};"
        for table in reversed(self.descendants):
            yield f"DELETE FROM {quote_name(table.name)};"

    def _put_back(self) -> Iterator[str]:
        for table, name in self.kept:
            into = chosen = quote_names(table.data_columns)
            if table.name.lower() in self.rowids:
                into, chosen = f"{table.rowid}, {into}", f'"_row", {chosen}'
            yield f"INSERT INTO {quote_name(name)} ({into}) SELECT {chosen} FROM {_parked(table)};"
        for trigger in self.triggers:
            if trigger.name.lower() not in self.made_again:
                yield f"{trigger.sql};"
        for table, _ in self.kept:
            yield f"DROP TABLE {_parked(table)};"


def plan_of(reading: Reading, drop: StatementTrace) -> ParkingPlan | NoRemedy:
    """How the rows around one drop are kept; or why they are not."""
    lineage = _lineage_of(reading, drop)
    if lineage is None:
        refused = reading.refused_again(drop.target)
        return NoRemedy(refused or _FOR_GOOD.format(table=drop.target))
    unfilled = (f for f in reading.findings if f.rule == "rebuild-without-copy")
    if any(lineage.table.lower() in map(str.lower, finding.tables) for finding in unfilled):
        return NoRemedy(_OTHER_ROWS.format(table=lineage.table))
    leaving = _renamed_away(reading, lineage) or lineage.dropped_by
    filled = _filled(reading, lineage)
    if leaving is None or filled is None:
        return NoRemedy(f"No statement fills the new {lineage.table} from the old one.")
    now = reading.structure_at(leaving.statement.start)
    later = reading.structure_at(filled.statement.end)
    descendants, in_circle = _descendants(now, lineage.table)
    kept = tuple(
        (table, name)
        for table in descendants
        if (name := _name_after(reading, table.name, leaving, filled)) and later.table(name)
    )
    names = {table.name.lower() for table in descendants}
    if in_circle:  # what is taken out reaches the old table too
        names.add(lineage.table.lower())
    triggers = tuple(t for t in now.triggers.values() if t.table.lower() in names)
    rowids = frozenset(t.name.lower() for t in descendants if _needs_rowid(t, now))
    creates = reading.context.statements_of("CREATE TRIGGER")
    made_again = frozenset(t.target.lower() for t in creates if _starts(t) > _starts(filled))
    return ParkingPlan(
        lineage, leaving, filled, descendants, kept, triggers, rowids, in_circle, made_again
    )


def _renamed_away(reading: Reading, lineage: TableLineage) -> StatementTrace | None:
    """The statement that gave the old table another name before its drop."""
    by = lineage.dropped_by
    if by is None or by.target.lower() == lineage.table.lower():
        return None
    renames = reading.context.statements_of("ALTER TABLE RENAME")
    return next((t for t in renames if t.target.lower() == lineage.table.lower()), None)


def _lineage_of(reading: Reading, drop: StatementTrace) -> TableLineage | None:
    """The rebuilt table whose old rows a DROP TABLE takes, under its own name or another."""
    for lineage in reading.context.rebuilt:
        by = lineage.dropped_by
        if by is None:
            continue
        renamed = by.verb == "ALTER TABLE RENAME" and by.parsed.new_name.lower()
        if by is drop or renamed == drop.target.lower():
            return lineage
    return None


def _filled(reading: Reading, lineage: TableLineage) -> StatementTrace | None:
    """The statement after which the new table has its name and its rows."""
    wanted = lineage.table.lower()
    found = [lineage.filled_by] if lineage.filled_by else []
    by = lineage.dropped_by
    found += [
        trace
        for trace in reading.context.statements_of("ALTER TABLE RENAME")
        if trace.parsed.new_name.lower() == wanted and by and _starts(trace) > _starts(by)
    ]
    return max(found, key=_starts, default=None)


def _starts(trace: StatementTrace) -> int:
    return trace.statement.start


def _descendants(now: Structure, table: str) -> tuple[tuple[Table, ...], bool]:
    """All tables that refer to one, parents first, and whether some form a circle."""
    found = now.descendants_of(table)
    root = now.table(table)
    names = {one.name.lower() for one in found}
    circle = root is not None and bool(root.parents & {table.lower(), *names})
    own = any(one.name.lower() in one.parents for one in found)
    return found, circle or own or bool(parents_first(found)[1])


def _name_after(
    reading: Reading, table: str, leaving: StatementTrace, filled: StatementTrace
) -> str:
    """A table's name after the rebuild; "" where it is dropped meanwhile."""
    name = table
    for trace in reading.context.done:
        if not _starts(leaving) < _starts(trace) <= _starts(filled):
            continue
        if trace.verb == "DROP TABLE" and trace.target.lower() == name.lower():
            return ""
        if trace.verb == "ALTER TABLE RENAME" and trace.target.lower() == name.lower():
            name = trace.parsed.new_name
    return name


def _new_table(reading: Reading, table: str) -> StatementTrace | None:
    names = reading.context.earlier_names(table)
    creates = reading.context.statements_of("CREATE TABLE")
    return next((t for t in creates if t.target.lower() in names), None)


def _needs_rowid(table: Table, now: Structure) -> bool:
    """Whether a full-text index knows the rows by a rowid that is no column."""
    if table.rowid_column or not table.rowid:
        return False
    declared = [full_text(other.sql) for other in now.tables.values() if other.is_virtual]
    return any(d and (d.content or "").lower() == table.name.lower() for d in declared)


def _parked(table: Table) -> str:
    return quote_name(f"_park_{table.name}")

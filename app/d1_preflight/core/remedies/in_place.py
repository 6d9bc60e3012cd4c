"""Writes a rebuild as ALTER TABLE in place, where D1 can do the whole change so.

Nothing is dropped then: no row of another table is touched, and no index or trigger forgotten.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from d1_preflight.core.effects.column_lineage import plain_column
from d1_preflight.core.effects.row_lineage import TableLineage
from d1_preflight.core.engine.sandbox import Sandbox
from d1_preflight.core.engine.trace import StatementTrace
from d1_preflight.core.remedies.edits import BREAKPOINT, Edit, newline, without
from d1_preflight.core.remedies.remedy import Reading, Rewrite
from d1_preflight.core.schema.ddl import addable, column_definition, mentions
from d1_preflight.core.schema.schema import SchemaObject, Structure, compare, normal_sql
from d1_preflight.core.schema.table import Table
from d1_preflight.core.sql.tokenizer import quote_name


def altered_in_place(reading: Reading, lineage: TableLineage) -> Rewrite | None:
    """The whole rebuild of one table as ALTERs; None where D1 cannot do it so."""
    steps = _steps(reading, lineage)
    if steps is None:
        return None
    begin = steps.create.statement.start
    before = reading.structure_at(begin)
    old, new = before.table(lineage.table), reading.context.new.table(lineage.table)
    moved = _moved(steps.copy, old) if old else None
    if old is None or new is None or moved is None:
        return None
    alters = _alters(old, new, moved, steps.create.statement.body)
    objects = _objects(before, lineage.table)
    in_the_way = _in_the_way(objects, old, new, moved)
    lines = [f"DROP {o.kind.upper()} {quote_name(o.name)};" for o in in_the_way]
    lines += [f"{alter};" for alter in alters or ()]
    if not alters or not _suffices(reading, begin, lines, lineage.table):
        return None
    gone = (*steps.rest, *_not_again(reading, objects, in_the_way))
    edits = (steps.altered(reading.text, lines), *_taken_out(reading, gone))
    kept = [o for o in objects if o not in in_the_way]
    now = reading.context.new
    differs = [(o.kind, o.name.lower()) for o in kept if o.name.lower() not in now.of(o.kind)]
    differs.append(("column order", lineage.table.lower()))
    what = f"changes {lineage.table} in place: nothing is dropped"
    return Rewrite(tuple(edits), what, tuple(differs))


@dataclass(frozen=True, slots=True)
class _Steps:
    """The four statements of a rebuild."""

    create: StatementTrace
    copy: StatementTrace
    drop: StatementTrace
    rename: StatementTrace

    @property
    def rest(self) -> tuple[StatementTrace, ...]:
        """The statements that the ALTERs make needless."""
        return (self.copy, self.drop, self.rename)

    def altered(self, text: str, lines: Sequence[str]) -> Edit:
        """The first statement becomes the ALTERs."""
        statement = self.create.statement
        between = newline(text)
        if BREAKPOINT in text:
            between = f"{between}{BREAKPOINT}{between}"
        return Edit(statement.begin, statement.end, between.join(lines))


def _taken_out(reading: Reading, gone: Sequence[StatementTrace]) -> Iterator[Edit]:
    """The statements taken out; with the comment above them, where all go that it heads."""
    for trace in gone:
        yield without(reading.text, trace.statement, heading=_goes_whole(reading, trace, gone))


def _goes_whole(reading: Reading, trace: StatementTrace, gone: Sequence[StatementTrace]) -> bool:
    """Whether all statements go up to the next comment or blank line."""
    start = trace.statement.start
    for later in (t for t in reading.context.statements if t.statement.start > start):
        above = reading.text[later.statement.start :][: later.statement.lead]
        if "--" in above.replace(BREAKPOINT, "") or above.count("\n") > 1:
            return True
        if later not in gone:
            return False
    return True


def _steps(reading: Reading, lineage: TableLineage) -> _Steps | None:
    """The rebuild's statements, where nothing else is done to either table between them."""
    drop, copy, name = lineage.dropped_by, lineage.filled_by, lineage.table.lower()
    if drop is None or copy is None or drop.verb != "DROP TABLE" or not lineage.rebuilt:
        return None
    new = copy.target.lower()
    renames = reading.context.statements_of("ALTER TABLE RENAME")
    rename = next((t for t in renames if (t.target.lower(), t.parsed.new_name.lower()) == (new, name)), None)  # fmt: skip  # noqa: E501
    creates = reading.context.statements_of("CREATE TABLE")
    create = next((t for t in creates if t.target.lower() == new and not t.parsed.copy), None)
    if create is None or rename is None or copy.parsed.copy is None or lineage.partial:
        return None
    four = (create, copy, drop, rename)
    for trace in reading.context.statements:
        inside = create.statement.start < trace.statement.start < rename.statement.start
        if inside and trace not in four and trace.verb != "PRAGMA":
            body = trace.statement.body
            if mentions(body, new) or mentions(body, name):
                return None
    return _Steps(*four)


def _moved(copy: StatementTrace, old: Table) -> Mapping[str, str] | None:
    """New columns by the old ones whose values they get, in lower case; None where others come."""
    parsed = copy.parsed
    source = parsed.copy
    if source is None:
        return None
    columns = [plain_column(expression, source.names) for expression in source.expressions]
    if source.star:
        columns = list(copy.source) if len(columns) == 1 else []
    found: dict[str, str] = {}
    for name, column in zip(parsed.columns or copy.into, columns, strict=False):
        if not column or old.column(column) is None or column.lower() in found:
            return None
        found[column.lower()] = name
    return found


def _alters(old: Table, new: Table, moved: Mapping[str, str], create: str) -> list[str] | None:
    table = quote_name(old.name)
    found = [
        f"ALTER TABLE {table} DROP COLUMN {quote_name(column.name)}"
        for column in old.columns
        if column.name.lower() not in moved and not (column.hidden and new.column(column.name))
    ]
    found += [
        f"ALTER TABLE {table} RENAME COLUMN {quote_name(column.name)} TO {quote_name(to)}"
        for column in old.columns
        if (to := moved.get(column.name.lower())) and to.lower() != column.name.lower()
    ]
    given = {name.lower() for name in moved.values()}
    for column in new.columns:
        if column.name.lower() in given or (column.hidden and old.column(column.name)):
            continue
        text, is_relaxed = addable(column_definition(create, column.name))
        if not text or is_relaxed:
            return None
        found.append(f"ALTER TABLE {table} ADD COLUMN {text}")
    return found


def _objects(before: Structure, table: str) -> tuple[SchemaObject, ...]:
    """The indexes and triggers that the rebuild takes along."""
    held = (*before.indexes.values(), *before.triggers.values())
    return tuple(o for o in held if o.table.lower() == table.lower())


def _in_the_way(
    objects: Sequence[SchemaObject], old: Table, new: Table, moved: Mapping[str, str]
) -> tuple[SchemaObject, ...]:
    """Those that name a column that goes."""
    gone = [c for c in old.column_names if c.lower() not in moved and not new.column(c)]
    return tuple(o for o in objects if any(mentions(o.sql, column) for column in gone))


def _suffices(reading: Reading, begin: int, lines: Sequence[str], table: str) -> bool:
    """Whether the ALTERs give the table the shape that the author's rebuild gives it."""
    with closing(Sandbox(reading.prior)) as sandbox:
        head = reading.text[:begin]
        tried = sandbox.run(head + "\n" + "\n".join(lines))
    if any(t.error and t.statement.start >= begin for t in tried.statements):
        return False
    start = f"{table.lower()}."
    changes = compare(tried.new, reading.context.new)
    return not any(c.name.lower().startswith(start) for c in changes if c.object != "index")


def _not_again(
    reading: Reading, objects: Sequence[SchemaObject], gone: Sequence[SchemaObject]
) -> Iterator[StatementTrace]:
    """The author's CREATEs of what is still there."""
    kept = {(o.kind, o.name.lower()): o for o in objects if o not in gone}
    for verb, kind in (("CREATE INDEX", "index"), ("CREATE TRIGGER", "trigger")):
        for trace in reading.context.statements_of(verb):
            found = kept.get((kind, trace.target.lower()))
            if found and trace.made(kind) and _same(found, trace):
                yield trace


def _same(found: SchemaObject, trace: StatementTrace) -> bool:
    return normal_sql(found.sql) == normal_sql(trace.statement.body).replace(" if not exists", "")

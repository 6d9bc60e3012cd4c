"""Drafts the down migration: what undoes a migration's shape, and what no SQL can bring back.

The draft is tried on the schema that the migration leaves and compared with the one before;
whatever it does not restore is a gap, said in words and written into the file.
"""

from collections.abc import Collection, Iterator
from contextlib import closing

from d1_preflight.core.effects.classify import classify
from d1_preflight.core.effects.column_lineage import plain_column
from d1_preflight.core.effects.row_lineage import row_lineage
from d1_preflight.core.engine.sandbox import Sandbox
from d1_preflight.core.engine.trace import ScriptTrace
from d1_preflight.core.findings import Effects, Kind
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.project.template import down_header
from d1_preflight.core.recovery.undo import Undo, run_on
from d1_preflight.core.schema.schema import Schema, compare, diff
from d1_preflight.core.sql.statement import CopySource, ParsedStatement
from d1_preflight.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Draft:
    """A down migration to look through: `gaps` is what it cannot bring back.

    `lossless` is whether it restores every pre-existing object, row and value; what was written
    since the migration into things that it removes is lost either way.
    """

    sql: str
    lossless: bool
    gaps: tuple[str, ...] = ()


def draft_down(migration: Migration, prior: Schema, after: Schema | None = None) -> Draft:
    """Draft the down migration; `after` is the schema as observed, where it is known."""
    with closing(Sandbox(prior)) as sandbox:
        script = sandbox.run(migration.text)
    errors = [f"line {trace.line}: {trace.error}" for trace in script.statements if trace.error]
    if errors:
        return Draft(_file(migration, Kind.UNKNOWN, (), errors), lossless=False, gaps=(*errors,))
    undo = Undo(script)
    statements = tuple(undo.statements())
    gaps = [*undo.gaps, *_data_gaps(script, classify(script).effects, undo), *_converted(script)]
    tried, kind = _tried(script, statements)
    gaps += [gap for gap in tried if gap not in undo.relaxed]
    if after is not None:
        gaps += [f"The database is not as predicted: {c.words}" for c in diff(script.after, after)]
    gaps = list(dict.fromkeys(gaps))
    sql = _file(migration, kind, statements, gaps)
    return Draft(sql, lossless=not gaps, gaps=tuple(gaps))


def _data_gaps(script: ScriptTrace, effects: Effects, undo: Undo) -> Iterator[str]:
    for table in effects.rows_deleted_in:
        yield f"Rows of {table} are deleted; only a backup has them."
    for place in effects.references_nulled_in:
        yield f"{place} is set to NULL; only a backup has its values."
    for table in effects.rows_inserted_in:
        yield f"Rows are added to {table}; the draft leaves them there."
    for trace in script.statements:
        if trace.verb == "UPDATE" and not trace.error and not undo.undoes(trace):
            yield (
                f"Line {trace.line} changes rows of {trace.target}; only a backup has the earlier "
                "values."
            )


def _converted(script: ScriptTrace) -> Iterator[str]:
    """Values that reached their new column otherwise than as they were."""
    for lineage in row_lineage(script):
        old, new = script.old.table(lineage.table), script.new.table(lineage.name or "")
        if old is None or new is None:
            continue
        for column in old.columns:
            here = new.column(lineage.moved.get(column.name, column.name))
            if here and here.affinity != column.affinity:
                yield (
                    f"{lineage.table}.{column.name} has a different type now "
                    f"({here.type or 'none'});"
                    " only a backup has the values that were converted."
                )
        for trace in script.statements:
            dropped = trace.parsed.column if trace.verb == "ALTER TABLE DROP COLUMN" else ""
            is_here = trace.target.lower() in (old.name.lower(), new.name.lower())
            if dropped and is_here and new.column(dropped):
                yield (
                    f"Line {trace.line} drops {lineage.table}.{dropped}, which another column "
                    "replaces; only a backup has the old values."
                )
        if lineage.rebuilt:
            wanted = {name.lower() for name in (*old.column_names, *lineage.moved.values())}
            yield from _through_expressions(script, lineage.table, wanted)


def _through_expressions(script: ScriptTrace, table: str, wanted: Collection[str]) -> Iterator[str]:
    for trace in script.statements:
        copy = trace.parsed.copy
        if copy is None:
            continue
        if table.lower() not in {n.lower() for n in (copy.source, *copy.whole_of, trace.target)}:
            continue
        names = trace.parsed.columns or trace.into
        for n, is_plain in enumerate(_plain_columns(trace.parsed, copy)):
            name = names[n] if n < len(names) else ""
            if not is_plain and (not name or name.lower() in wanted):
                yield (
                    f"Line {trace.line} copies {table} through an expression"
                    f"{f' into {name}' if name else ''}; only a backup has the earlier values."
                )


def _plain_columns(statement: ParsedStatement, copy: CopySource) -> tuple[bool, ...]:
    """Of each column of a copy, whether it is one of the source as it stands."""
    if statement.reads:
        return tuple(any(of.values()) for of in statement.reads)
    expressions = () if copy.star else copy.expressions
    return tuple(bool(plain_column(expression, copy.names)) for expression in expressions)


def _tried(script: ScriptTrace, statements: tuple[str, ...]) -> tuple[list[str], Kind]:
    """Try the whole draft on the schema after; what still differs, and its class."""
    tried = run_on(script.after, statements)
    failed = [f"The draft does not run: {a.error}" for a in tried.statements if a.error]
    if tried.commit_error:
        failed.append(f"The draft does not commit: {tried.commit_error}")
    left = [f"After the draft, {change.words}" for change in compare(script.old, tried.new)]
    return failed or left, classify(tried).kind


def _file(migration: Migration, kind: Kind, statements: tuple[str, ...], gaps: list[str]) -> str:
    note = ". A draft: review it before use"
    header = down_header(migration.stem, migration.name, kind, gaps, note)
    return header + "".join(f"{text};\n" for text in statements)

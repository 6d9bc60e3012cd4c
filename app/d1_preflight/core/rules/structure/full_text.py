"""Full-text indexes that point to rows by a rowid which the file gives to other rows."""

from collections.abc import Iterator

from d1_preflight.core.effects.row_lineage import TableLineage
from d1_preflight.core.engine.trace import StatementTrace
from d1_preflight.core.rules.context import Match, Rule, RuleContext, match_target
from d1_preflight.core.schema.full_text import full_text
from d1_preflight.core.schema.table import Table
from d1_preflight.core.sql.tokenizer import Token, tokens

_ROWIDS = frozenset({"rowid", "oid", "_rowid_"})


def fts_rowid_renumbered(context: RuleContext) -> Iterator[Match]:
    """A copy that numbers the rows anew under an index that knows them by their old numbers."""
    for lineage in context.verdict.lineages:
        new, copy = context.new.table(lineage.name or ""), lineage.filled_by
        old = context.old.table(lineage.table)
        if not old or not new or not copy or new.without_rowid or _keeps_rowid(lineage, old, new):
            continue
        for index in _indexes_of(context, old, new):
            if not _filled_after(context, index, copy):
                values = {"table": lineage.table, "index": index}
                yield match_target(copy, tables=(lineage.table,), values=values)


def fts_left_empty(context: RuleContext) -> Iterator[Match]:
    """An index made over a table that is there, and not filled: MATCH finds nothing."""
    for trace in context.statements_of("CREATE TABLE"):
        table = context.new.table(trace.target)
        declared = full_text(table.sql) if table and table.is_virtual else None
        content = context.old.table(declared.content or "") if declared else None
        made = trace.parsed.tokens[1].word == "VIRTUAL" and trace.made("table")
        if made and content and not _filled_after(context, trace.target, trace):
            values = {"index": trace.target, "table": content.name}
            yield match_target(trace, tables=(trace.target,), values=values)


RULES: tuple[Rule, ...] = (fts_rowid_renumbered, fts_left_empty)


def _keeps_rowid(lineage: TableLineage, old: Table, new: Table) -> bool:
    """Whether each row has the number in the new table that it had in the old one."""
    before, after = old.rowid_column.lower(), new.rowid_column.lower()
    if before:
        lost = {name.lower() for name in (*lineage.dropped, *lineage.derived)}
        moved = {name.lower(): to.lower() for name, to in lineage.moved.items()}
        return bool(after) and before not in lost and moved.get(before, before) == after
    copy = lineage.filled_by
    written = {name.lower() for name in copy.parsed.columns} if copy else set[str]()
    read = {token.name.lower() for token in copy.parsed.tokens} if copy else set[str]()
    return bool(written & (_ROWIDS | {after}) and read & _ROWIDS)


def _indexes_of(context: RuleContext, old: Table, new: Table) -> Iterator[str]:
    """The full-text tables that were there before and know the table's rows by rowid."""
    writing = [
        found
        for trigger in context.old.triggers.values()
        if trigger.table.lower() == old.name.lower()
        and _names_rowid(found := tokens(trigger.sql, limit=len(trigger.sql)), old)
    ]
    for name, table in context.new.tables.items():
        declared = full_text(table.sql) if table.is_virtual else None
        if declared is None or name not in context.old.tables:
            continue
        of_table = (declared.content or "").lower() in (old.name.lower(), new.name.lower())
        by_rowid = declared.content_rowid.lower() in _ROWIDS | {new.rowid_column.lower()}
        fed = any(token.name.lower() == name for found in writing for token in found)
        if (of_table and by_rowid) or (not declared.is_external and fed):
            yield table.name


def _names_rowid(found: tuple[Token, ...], table: Table) -> bool:
    """Whether a trigger hands on the rowid of the row that fires it."""
    names = _ROWIDS | ({table.rowid_column.lower()} - {""})
    texts = [token.name.lower() for token in found]
    return any(
        texts[n : n + 2] in (["new", "."], ["old", "."]) and texts[n + 2] in names
        for n in range(len(texts) - 2)
    )


def _filled_after(context: RuleContext, index: str, copy: StatementTrace) -> bool:
    """Whether the index is filled again, from the rows as they are numbered now."""
    for trace in context.statements_of("INSERT"):
        later = trace.statement.start > copy.statement.start
        rebuilt = "'rebuild'" in trace.statement.text.lower()
        if later and trace.target.lower() == index.lower() and (rebuilt or trace.parsed.copy):
            return True
    return False

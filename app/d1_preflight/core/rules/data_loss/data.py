"""Rows and values that a statement deletes, overwrites or leaves out of a copy."""

from collections.abc import Iterator

from d1_preflight.core.engine.trace import Act
from d1_preflight.core.findings import Severity
from d1_preflight.core.rules.context import Case, Find, Hit, at, listed, target_token, word_token
from d1_preflight.core.sql.tokenizer import Token, TokenKind


def delete_without_where(case: Case) -> Iterator[Hit]:
    """A DELETE that empties a table that was there before."""
    for act in case.acts_of("DELETE"):
        if not act.phrase.filtered and _lost(case, act):
            yield at(act, target_token(act), tables=(act.target,), table=act.target)


def delete_rows(case: Case) -> Iterator[Hit]:
    """A DELETE of chosen rows of a table that was there before."""
    for act in case.acts_of("DELETE"):
        if act.phrase.filtered and _lost(case, act):
            yield at(act, target_token(act), tables=(act.target,), table=act.target)


def update_without_where(case: Case) -> Iterator[Hit]:
    """An UPDATE of every row, which overwrites values that were there."""
    for act in _updates(case):
        columns = _old_columns(case, act)
        if not act.phrase.filtered and columns:
            values = {"table": act.target, "columns": listed(columns)}
            yield at(act, target_token(act), tables=(act.target,), values=values)


def update_not_invertible(case: Case) -> Iterator[Hit]:
    """An UPDATE that maps several values to one, so that no UPDATE can undo it."""
    for act in _updates(case):
        tokens = act.phrase.tokens
        for column in _old_columns(case, act) if act.phrase.filtered else ():
            for n, token in enumerate(tokens[:-2]):
                is_set = token.name.lower() == column.lower() and tokens[n + 1].text == "="
                literal = tokens[n + 2].kind in (TokenKind.STRING, TokenKind.NUMBER)
                if is_set and literal and not _in_where(act, n):
                    values = {"table": act.target, "column": column, "value": tokens[n + 2].text}
                    yield at(act, token, tables=(act.target,), values=values)
                    break


def drop_table(case: Case) -> Iterator[Hit]:
    """A table that is gone afterwards."""
    for fate in case.verdict.fates:
        if not fate.name and fate.dropped_by:
            act, to = fate.dropped_by, listed(fate.copied_to)
            kept = f" (rows were copied to {to})" if to else ""
            yield at(act, target_token(act), tables=(fate.table,), table=fate.table, kept=kept)


def rebuild_without_copy(case: Case) -> Iterator[Hit]:
    """A table that is dropped and made again, its rows copied nowhere."""
    for fate in case.rebuilt:
        if not fate.kept and not fate.partial and not fate.losses and fate.dropped_by:
            act = fate.dropped_by
            yield at(act, target_token(act), tables=(fate.table,), table=fate.table)


def copy_filtered(case: Case) -> Iterator[Hit]:
    """A rebuild whose copy can leave rows out by its SELECT."""
    for table, act in _partial(case):
        copied = act.phrase.copy
        if copied and not _lossy_insert(act):
            why = copied.why_not or act.lossy or "a shape that is not recognised"
            token = word_token(act, why)
            yield at(act, token, tables=(table,), table=table, why=why, copy=act.target)


def copy_or_ignore(case: Case) -> Iterator[Hit]:
    """A rebuild that copies with INSERT OR IGNORE, which skips rows without a word."""
    for table, act in _partial(case):
        if act.phrase.conflict == "IGNORE" or act.phrase.upsert == "NOTHING":
            yield at(act, word_token(act, "IGNORE", "NOTHING"), tables=(table,), table=table)


def copy_or_replace(case: Case) -> Iterator[Hit]:
    """A rebuild that copies with INSERT OR REPLACE, which merges rows without a word."""
    for table, act in _partial(case):
        if act.phrase.conflict == "REPLACE" or act.phrase.upsert == "UPDATE":
            yield at(act, word_token(act, "REPLACE", "UPDATE"), tables=(table,), table=table)


def copy_by_position(case: Case) -> Iterator[Hit]:
    """A copy that pairs columns by their place; it blocks where the names do not line up."""
    for act in case.acts_of("INSERT"):
        copied = act.phrase.copy
        if copied is None or not copied.star or not copied.source:
            continue
        source, target = _columns_now(case, copied.source), _columns_now(case, act.target)
        pairs = zip(source, act.phrase.columns or target, strict=False)
        swapped = [f"{a} into {b}" for a, b in pairs if a.lower() != b.lower()]
        values = {"source": copied.source, "table": act.target, "swapped": ""}
        if swapped:
            values["swapped"] = f": here {swapped[0]}"
        severity = Severity.BLOCKING if swapped else None
        yield at(act, word_token(act, "SELECT"), severity=severity, values=values)


def column_not_copied(case: Case) -> Iterator[Hit]:
    """A column that stays by name while the copy puts other values, or none, into it."""
    for fate in case.verdict.fates:
        new, act = case.new.table(fate.name or ""), fate.filled_by
        for column in (*fate.left_behind, *fate.moved) if act and fate.kept else ():
            if act and new and new.column(column):
                values = {"table": fate.table, "column": column}
                yield at(act, target_token(act), tables=(fate.table,), values=values)


def replace_drops_rows(case: Case) -> Iterator[Hit]:
    """A REPLACE on a table with several unique keys: it can delete rows and put none in place."""
    for fate in case.verdict.fates:
        for loss in fate.losses if fate.name and not fate.kept else ():
            own = loss.holder.lower() == loss.act.target.lower()
            if own and loss.side and loss.act.verb in ("INSERT", "UPDATE"):
                token = word_token(loss.act, "REPLACE")
                yield at(loss.act, token, tables=(fate.table,), table=fate.table)


def replace_rows(case: Case) -> Iterator[Hit]:
    """An INSERT OR REPLACE into a table that may hold the row already."""
    for act in case.acts_of("INSERT"):
        if act.phrase.conflict == "REPLACE" and case.old.table(act.target):
            yield at(act, word_token(act, "REPLACE"), tables=(act.target,), table=act.target)


def quoted_name_is_text(case: Case) -> Iterator[Hit]:
    """A name in double quotes that no column has: SQLite stores it as text."""
    for act in case.done:
        if not act.literal or act.verb.startswith("ALTER TABLE"):
            continue
        names = [t for t in act.phrase.tokens if t.text[:1] == '"']
        wrong = next((t for t in names if f'"{t.name}"' in act.literal), None)
        if wrong is None:
            wrong = next((t for t in names if act.literal.endswith(f": {t.name}")), None)
        copies = act.phrase.copy is not None and _is_a_column(case, act, wrong)
        severity = None if copies or act.verb.startswith("CREATE INDEX") else Severity.WARNING
        name = wrong.name if wrong else "?"
        yield at(act, wrong, severity=severity, name=name, table=act.target)


def cast_loses(case: Case) -> Iterator[Hit]:
    """A CAST of stored text to a number, which takes what it can read and drops the rest."""
    for act in case.acts_of("INSERT", "UPDATE", "CREATE TABLE"):
        if act.verb == "CREATE TABLE" and not act.phrase.copy:
            continue
        found = act.phrase.tokens
        for n, token in enumerate(found):
            if token.word == "CAST":
                words = [t.word for t in found[n : n + 12]]
                kind = next((word for word in words if word in _NUMBERS), "")
                if kind and "AS" in words:
                    yield at(act, token, table=act.target, type=kind)
                    break


RULES: tuple[Find, ...] = (
    delete_without_where,
    delete_rows,
    update_without_where,
    update_not_invertible,
    drop_table,
    rebuild_without_copy,
    copy_filtered,
    copy_or_ignore,
    copy_or_replace,
    copy_by_position,
    column_not_copied,
    replace_drops_rows,
    replace_rows,
    quoted_name_is_text,
    cast_loses,
)
_NUMBERS = frozenset({"INTEGER", "INT", "REAL", "NUMERIC", "BIGINT", "DECIMAL"})


def _lost(case: Case, act: Act) -> bool:
    """Whether the statement's own target loses rows for good by it."""
    return any(
        loss.act is act and not loss.side
        for fate in case.verdict.fates
        if not fate.kept
        for loss in fate.losses
    )


def _updates(case: Case) -> Iterator[Act]:
    updated = {name.lower() for name in case.verdict.effects.rows_updated_in}
    return (act for act in case.acts_of("UPDATE") if act.target.lower() in updated)


def _old_columns(case: Case, act: Act) -> tuple[str, ...]:
    """The SET columns that existed before; a fresh column loses nothing."""
    table = case.old.table(act.target)
    return tuple(c for c in act.phrase.columns if table and table.column(c))


def _in_where(act: Act, place: int) -> bool:
    return any(token.word == "WHERE" for token in act.phrase.tokens[:place])


def _partial(case: Case) -> Iterator[tuple[str, Act]]:
    for fate in case.verdict.fates:
        for act in fate.partial:
            yield fate.table, act


def _lossy_insert(act: Act) -> bool:
    return act.phrase.conflict in ("IGNORE", "REPLACE") or bool(act.phrase.upsert)


def _columns_now(case: Case, name: str) -> tuple[str, ...]:
    """The columns of a table of before, of after, or of one that the file made meanwhile."""
    table = case.old.table(name) or case.new.table(name)
    if table is None:
        renamed = next(
            (a for a in case.acts_of("ALTER TABLE RENAME") if a.target.lower() == name.lower()),
            None,
        )
        table = case.new.table(renamed.phrase.new_name) if renamed else None
    return tuple(c.name for c in table.columns if not c.hidden) if table else ()


def _is_a_column(case: Case, act: Act, token: Token | None) -> bool:
    names = {name.lower() for name in (*_columns_now(case, act.target), *act.phrase.columns)}
    return token is not None and token.name.lower() in names

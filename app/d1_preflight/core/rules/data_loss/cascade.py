"""Rows that go, or references that are cleared, although no statement names them."""

from collections.abc import Iterator

from d1_preflight.core.effects.row_lineage import Loss
from d1_preflight.core.engine.trace import Act
from d1_preflight.core.rules.context import Case, Find, Hit, at, listed, target_token, word_token
from d1_preflight.core.rules.fixes import parked, references_parked, upsert
from d1_preflight.core.schema.table import ForeignKey, Table
from d1_preflight.core.sql.tokenizer import quote_name


def cascade_delete(case: Case) -> Iterator[Hit]:
    """A DROP TABLE that deletes the rows of tables that refer to it."""
    for act, children in _struck(case, "DROP TABLE"):
        values = {"parent": act.target, "children": listed(children), **parked(case, children)}
        yield at(act, target_token(act), tables=children, values=values)


def self_reference_rebuild(case: Case) -> Iterator[Hit]:
    """A rebuilt table whose new copy refers to the old one, so the drop empties the copy."""
    for fate in case.verdict.fates:
        for loss in fate.losses:
            if not fate.kept and _is_own_copy(loss):
                table = case.old.table(fate.table)
                key = quote_name(next(iter(table.primary_key if table else ()), "id"))
                values = {"table": fate.table, "copy": loss.holder, "key": key}
                yield at(loss.act, target_token(loss.act), tables=(fate.table,), values=values)


def delete_cascades(case: Case) -> Iterator[Hit]:
    """A DELETE that takes the rows of other tables along."""
    for act, children in _struck(case, "DELETE"):
        values = {"table": act.target, "children": listed(children)}
        yield at(act, target_token(act), tables=children, values=values)
    for act in case.acts_of("DELETE"):
        table = case.old.table(act.target)
        keys = table.foreign_keys if table and act.phrase.filtered else ()
        own = any(k.parent.lower() == act.target.lower() and _cascades(k) for k in keys)
        if own and act.heard.deletes:
            values = {"table": act.target, "children": listed([act.target])}
            yield at(act, target_token(act), tables=(act.target,), values=values)


def replace_cascades(case: Case) -> Iterator[Hit]:
    """An INSERT OR REPLACE that deletes the children of the rows it replaces."""
    for act, children in _struck(case, "INSERT", "UPDATE"):
        values = {"table": act.target, "children": listed(children), "upsert": upsert(case, act)}
        yield at(act, word_token(act, "REPLACE"), tables=children, values=values)


def references_nulled(case: Case) -> Iterator[Hit]:
    """A statement whose ON DELETE SET NULL clears references that survive it."""
    yield from _cleared(case, "SET NULL")


def references_moved(case: Case) -> Iterator[Hit]:
    """A statement whose ON DELETE SET DEFAULT moves children to the default parent."""
    yield from _cleared(case, "SET DEFAULT")


def trigger_deletes(case: Case) -> Iterator[Hit]:
    """A change of rows that fires a trigger which deletes rows elsewhere."""
    for act, tables in _by_act(case):
        fired = [name for name in tables if not _descends(case, name, act.target)]
        if fired and act.heard.fired:
            triggers = listed(act.heard.fired)
            yield at(act, tables=tuple(fired), children=listed(fired), triggers=triggers)


def cascade_parked(case: Case) -> Iterator[Hit]:
    """A cascade whose victims were copied aside before and put back after."""
    for fate in case.verdict.fates:
        if fate.name and fate.kept:
            for loss in fate.losses:
                if loss.side:
                    values = {"parent": loss.act.target, "table": fate.table}
                    yield at(loss.act, target_token(loss.act), tables=(fate.table,), values=values)


def parent_in_use(case: Case) -> Iterator[Hit]:
    """A parent that cannot go while children with RESTRICT or NO ACTION have rows."""
    gone: set[str] = set()
    for act in case.acts_of("DROP TABLE"):
        keys = [
            child.name
            for child, key in _keys_to(case, act.target)
            if key.on_delete in ("NO ACTION", "RESTRICT") and child.name.lower() not in gone
        ]
        gone.add(act.target.lower())
        if keys and case.old.table(act.target):
            token = target_token(act)
            yield at(act, token, tables=tuple(keys), parent=act.target, children=listed(keys))


def foreign_key_dangling(case: Case) -> Iterator[Hit]:
    """A foreign key that had its parent before and points to nothing afterwards."""
    for child, key in _orphaned(case):
        known = case.old.table(child.name)
        before = {k.parent.lower() for k in known.foreign_keys} if known else set()
        if known and not all(parent in case.new.tables for parent in before):
            act = _dropping(case, key.parent) or _dropping(case, "")
        else:
            act = _dropping(case, key.parent)
        if act:
            yield at(act, target_token(act), tables=(child.name,), values=_named(child, key))


def foreign_key_missing_parent(case: Case) -> Iterator[Hit]:
    """A new foreign key to a table that is not there."""
    for child, key in _orphaned(case):
        if _dropping(case, key.parent):
            continue
        for act in case.acts_of("CREATE TABLE", "ALTER TABLE ADD COLUMN"):
            tokens = [t for t in act.phrase.tokens if t.name.lower() == key.parent.lower()]
            known = {child.name.lower(), *_earlier_names(case, child.name)}
            if tokens and act.target.lower() in known:
                yield at(act, tokens[-1], tables=(child.name,), values=_named(child, key))


def unindexed_child_key(case: Case) -> Iterator[Hit]:
    """A parent whose rows go while a child must be searched whole for each of them."""
    gone: set[str] = set()
    for act in case.acts_of("DROP TABLE", "DELETE"):
        bare = [
            f"{child.name}.{key.columns[0]}"
            for child, key in _keys_to(case, act.target)
            if child.name.lower() not in gone and not _has_index(case, child, key)
        ]
        gone.add(act.target.lower())
        if bare and case.old.table(act.target):
            yield at(act, target_token(act), parent=act.target, columns=listed(bare))


RULES: tuple[Find, ...] = (
    cascade_delete,
    self_reference_rebuild,
    delete_cascades,
    replace_cascades,
    references_nulled,
    references_moved,
    trigger_deletes,
    cascade_parked,
    parent_in_use,
    foreign_key_dangling,
    foreign_key_missing_parent,
    unindexed_child_key,
)


def _cascades(key: ForeignKey) -> bool:
    return key.on_delete == "CASCADE"


def _is_target(loss: Loss) -> bool:
    return loss.act.target.lower() == loss.holder.lower()


def _is_own_copy(loss: Loss) -> bool:
    same = loss.act.target.lower() == loss.table.lower()
    return loss.act.verb == "DROP TABLE" and same and loss.holder.lower() != loss.table.lower()


def _by_act(case: Case) -> Iterator[tuple[Act, tuple[str, ...]]]:
    """Each statement with the surviving tables whose rows it takes on the side, for good."""
    found: dict[int, tuple[Act, list[str]]] = {}
    for fate in case.verdict.fates:
        for loss in fate.losses if fate.name and not fate.kept else ():
            replaced = loss.act.verb != "DROP TABLE" and _is_target(loss)
            if loss.side and not replaced and not _is_own_copy(loss):
                entry = found.setdefault(loss.act.statement.start, (loss.act, []))
                entry[1].append(fate.table)
    return ((act, tuple(dict.fromkeys(names))) for act, names in found.values())


def _struck(case: Case, *verbs: str) -> Iterator[tuple[Act, tuple[str, ...]]]:
    for act, names in _by_act(case):
        children = tuple(n for n in names if _descends(case, n, act.target))
        if act.verb in verbs and (children or not act.heard.fired):
            yield act, children or names


def _descends(case: Case, child: str, parent: str) -> bool:
    """Whether deletions can come down from `parent` to `child` by foreign keys."""
    seen, waiting = {parent.lower()}, [parent]
    while waiting:
        name = waiting.pop()
        for structure in (case.old, case.new):
            for table in structure.children_of(name):
                if table.name.lower() == child.lower():
                    return True
                if table.name.lower() not in seen:
                    seen.add(table.name.lower())
                    waiting.append(table.name)
    return False


def _cleared(case: Case, action: str) -> Iterator[Hit]:
    found: dict[int, tuple[Act, list[tuple[str, str]]]] = {}
    for fate in case.verdict.fates:
        known = case.old.table(fate.table)
        for column, act in fate.nulled if fate.name and known else ():
            if known and _action_of(known, column) == action:
                entry = found.setdefault(act.statement.start, (act, []))
                entry[1].append((fate.table, column))
    for act, columns in found.values():
        tables = tuple(dict.fromkeys(table for table, _ in columns))
        values = {
            "parent": act.target,
            "columns": listed(f"{table}.{column}" for table, column in columns),
            "table": columns[0][0],
            "column": columns[0][1],
            **references_parked(case, columns, action),
        }
        yield at(act, target_token(act), tables=tables, values=values)


def _action_of(table: Table, column: str) -> str:
    for key in table.foreign_keys:
        cleared = key.on_delete in ("SET NULL", "SET DEFAULT")
        if cleared and column.lower() in (name.lower() for name in key.columns):
            return key.on_delete
    return "SET NULL"


def _keys_to(case: Case, parent: str) -> Iterator[tuple[Table, ForeignKey]]:
    for table in case.old.children_of(parent):
        if table.name.lower() != parent.lower():
            for key in table.foreign_keys:
                if key.parent.lower() == parent.lower():
                    yield table, key


def _orphaned(case: Case) -> Iterator[tuple[Table, ForeignKey]]:
    dropping = any(case.acts_of("DROP TABLE", "ALTER TABLE RENAME"))
    for name, table in case.new.tables.items():
        if not table.parents or (case.old.tables.get(name) is table and not dropping):
            continue
        known = case.old.table(name)
        for key in table.foreign_keys:
            if key.parent.lower() in case.new.tables:
                continue
            was_there = key.parent.lower() in case.old.tables
            if was_there or known is None or key not in known.foreign_keys:
                yield table, key


def _dropping(case: Case, table: str) -> Act | None:
    for act in case.acts_of("DROP TABLE"):
        if not table or act.target.lower() == table.lower():
            return act
    return None


def _named(child: Table, key: ForeignKey) -> dict[str, str]:
    return {"child": child.name, "columns": ", ".join(key.columns), "parent": key.parent}


def _earlier_names(case: Case, name: str) -> frozenset[str]:
    return frozenset(
        act.target.lower()
        for act in case.acts_of("ALTER TABLE RENAME")
        if act.phrase.new_name.lower() == name.lower()
    )


def _has_index(case: Case, child: Table, key: ForeignKey) -> bool:
    first = key.columns[0].lower()
    leading = [u[0].lower() for u in child.unique]
    leading += [name.lower() for name in child.primary_key[:1]]
    for index in case.old.indexes.values():
        if index.table.lower() == child.name.lower():
            inside = index.sql.partition("(")[2]
            leading.append(inside.split(",")[0].split(")")[0].strip(' `"[]').lower())
    return first in leading

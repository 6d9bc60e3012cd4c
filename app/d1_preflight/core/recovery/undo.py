"""Writes, object by object, the statements that undo what a migration did to the shape.

No row of another table is lost over it. D1 keeps foreign keys on, so a table that others refer to
cannot simply be dropped: the rows of every descendant are parked first, taken out leaf first, and
put back parent first. All SQL is our own text around the schema's own; nothing comes out of a
generator.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import pairwise

from d1_preflight.core.effects.row_lineage import TableLineage, row_lineage
from d1_preflight.core.engine.sandbox import Sandbox
from d1_preflight.core.engine.trace import ScriptTrace, StatementTrace
from d1_preflight.core.schema.ddl import addable, column_definition, mentions
from d1_preflight.core.schema.schema import Schema, Structure, compare, normal_sql
from d1_preflight.core.schema.table import Table, parents_first
from d1_preflight.core.sql.tokenizer import (
    Token,
    TokenKind,
    quote_name,
    quote_names,
    quote_text,
    tokens,
)

_KEPT = "preflight_old_"
_PARKED = "preflight_parked_"


class Undo:
    """Writes the statements that undo one run, in order, and notes in `gaps` what they cannot."""

    def __init__(self, script: ScriptTrace) -> None:
        self._script = script
        self._lineages = row_lineage(script)
        self.gaps: list[str] = []
        self.relaxed: list[str] = []  # what `_tried` may see differ, since a gap says it
        self._recreated: set[str] = set()
        self._rebuilt: list[str] = []
        self._parked: list[str] = []  # tables whose rows move aside while another is rebuilt

    def statements(self) -> Iterator[str]:
        """All statements: values, objects, tables, and the dropped objects again."""
        plain, left = self._tables()
        dropped = list(self._create_dropped())
        rebuilds = list(self._rebuilds([*plain, *dropped], left))
        yield from self._updates_back()
        yield from self._drop_objects()
        yield from plain
        yield from dropped  # before the rebuilds: a child cannot be written without its parent
        yield from rebuilds
        yield from self._drop_created()
        yield from self._create_objects()

    def undoes(self, trace: StatementTrace) -> bool:
        """Whether an UPDATE is undone by the draft, or only fills what the draft removes."""
        return bool(_swap(trace)) or self._fills_new_columns(trace)

    def _updates_back(self) -> Iterator[str]:
        for trace in reversed(self._script.statements):
            swap = _swap(trace)
            if swap is None or self._fills_new_columns(trace):
                continue
            column, new, old = swap
            table, name = quote_name(trace.target), quote_name(column)
            self.gaps.append(
                f"Rows of {trace.target} that held {new} in {column} before (line {trace.line})"
                f" become {old} too. Exact only if this is 0 before applying:"
                f" SELECT count(*) FROM {table} WHERE {name} = {new}"
            )
            yield f"UPDATE {table} SET {name} = {old} WHERE {name} = {new}"

    def _fills_new_columns(self, trace: StatementTrace) -> bool:
        old, columns = self._script.old.table(trace.target), trace.parsed.columns
        return old is None or (bool(columns) and not any(map(old.column, columns)))

    def _drop_objects(self) -> Iterator[str]:
        created = {table.name.lower() for table in self._created()}
        for kind in ("trigger", "view", "index"):
            befores = self._script.old.of(kind)
            for name, found in self._script.new.of(kind).items():
                if found.table.lower() in created and kind != "view":
                    continue
                before = befores.get(name)
                stays = before is not None and normal_sql(before.sql) == normal_sql(found.sql)
                if not stays or (found.kind, name) in self._in_the_way():
                    self._recreated.add(f"{kind} {name}")
                    yield f"DROP {kind.upper()} {quote_name(found.name)}"

    def _in_the_way(self) -> set[tuple[str, str]]:
        """Objects that a rebuild takes with it, that would stop it, or that would fire."""
        new = self._script.new
        rebuilt = {name.lower() for name in self._rebuilt}
        parked = {name.lower() for name in self._parked}
        return {
            (found.kind, name)
            for group in (new.triggers, new.views, new.indexes)
            for name, found in group.items()
            if (found.kind == "index" and found.table.lower() in rebuilt)
            or (found.kind == "trigger" and found.table.lower() in parked)
            or (found.kind != "index" and any(mentions(found.sql, t) for t in rebuilt))
        }

    def _tables(self) -> tuple[list[str], list[tuple[Table, dict[str, str]]]]:
        """The plain ALTERs of all tables, and the tables that only a rebuild brings back."""
        plain: list[str] = []
        left: list[tuple[Table, dict[str, str]]] = []
        for lineage in self._lineages:
            new = self._script.new.table(lineage.name or "")
            old = self._script.old.table(lineage.table)
            if old is None or new is None or old.is_virtual:
                continue
            columns = self._columns(lineage, old, new)
            if old == new and all(name == present for name, present in columns.items()):
                continue
            if new.name.lower() != old.name.lower():
                plain.append(f"ALTER TABLE {quote_name(new.name)} RENAME TO {quote_name(old.name)}")
            alters = self._in_place(old, new, columns)
            if alters is None:
                left.append((old, columns))
            plain += alters or ()
            for name in (c.name for c in old.columns if not c.hidden and c.name not in columns):
                self.gaps.append(f"Only a backup has the values of {old.name}.{name}.")
        return plain, left

    def _rebuilds(
        self, before: Sequence[str], left: Sequence[tuple[Table, dict[str, str]]]
    ) -> Iterator[str]:
        """The rebuilds, written for the schema that the statements before them leave."""
        if not left:
            return
        now = run_on(self._script.after, [*self._without_objects(), *before]).new
        for old, columns in left:
            self._rebuilt.append(old.name)
            self._parked += [child.name for child in now.descendants_of(old.name)]
            yield from _rebuild(old, columns, now)

    def _columns(self, lineage: TableLineage, old: Table, new: Table) -> dict[str, str]:
        """Present columns by their old names."""
        renamed = {
            trace.parsed.column.lower(): trace.parsed.new_name
            for trace in self._script.statements
            if trace.verb == "ALTER TABLE RENAME COLUMN"
            and trace.target.lower() in (old.name.lower(), new.name.lower())
        }
        found = {}
        for column in (c for c in old.columns if not c.hidden):
            target = column.name
            while target.lower() in renamed:
                target = renamed.pop(target.lower())
            here = new.column(target) or new.column(lineage.moved.get(column.name, ""))
            if here and not here.hidden:
                found[column.name] = here.name
        return found

    def _in_place(self, old: Table, new: Table, columns: dict[str, str]) -> list[str] | None:
        """Plain ALTERs that give a table its old shape; None where only a rebuild does."""
        table = quote_name(old.name)
        kept = {name.lower() for name in columns.values()}
        found = [
            f"ALTER TABLE {table} DROP COLUMN {quote_name(column.name)}"
            for column in new.columns
            if column.name.lower() not in kept
        ]
        found += [
            f"ALTER TABLE {table} RENAME COLUMN {quote_name(present)} TO {quote_name(name)}"
            for name, present in columns.items()
            if name != present
        ]
        relaxed = []
        for column in old.columns:
            if column.name not in columns:
                text, is_relaxed = addable(column_definition(old.sql, column.name))
                if not text:
                    return None
                found.append(f"ALTER TABLE {table} ADD COLUMN {text}")
                relaxed += [column.name] if is_relaxed else []
        return found if self._suffices(old, new, found, relaxed) else None

    def _suffices(self, old: Table, new: Table, alters: list[str], relaxed: list[str]) -> bool:
        """Whether plain ALTERs give the table its old shape, tried on the schema after."""
        rename = f"ALTER TABLE {quote_name(new.name)} RENAME TO {quote_name(old.name)}"
        first = [rename] if new.name.lower() != old.name.lower() else []
        tried = run_on(self._script.after, [*self._without_objects(), *first, *alters])
        if any(trace.error for trace in tried.statements):
            return False
        expected = {f"{old.name}.{name}".lower() for name in relaxed}
        differing = [
            change
            for change in compare(self._script.old, tried.new)
            if change.name.lower().startswith(f"{old.name.lower()}.")
            and change.object not in ("index", "trigger", "view")
        ]
        if any(change.name.lower() not in expected for change in differing):
            return False
        for name in relaxed:
            self.gaps.append(f"{old.name}.{name} comes back without NOT NULL: fill it first.")
        self.relaxed += [f"After the draft, {change.words}" for change in differing]
        return True

    def _without_objects(self) -> list[str]:
        """Take away what can stand in an ALTER's way: triggers, views and new indexes."""
        new = self._script.new
        indexes = [o for n, o in new.indexes.items() if n not in self._script.old.indexes]
        gone = [*new.triggers.values(), *new.views.values(), *indexes]
        return [f"DROP {o.kind.upper()} {quote_name(o.name)}" for o in gone]

    def _created(self) -> tuple[Table, ...]:
        new = self._script.new
        known = new.inner | {(lineage.name or "").lower() for lineage in self._lineages}
        return tuple(table for name, table in new.tables.items() if name not in known)

    def _drop_created(self) -> Iterator[str]:
        order, cycles = parents_first(self._created())
        if cycles:
            yield "PRAGMA defer_foreign_keys = ON"
        yield from (f"DROP TABLE {quote_name(table.name)}" for table in reversed(order))

    def _create_dropped(self) -> Iterator[str]:
        gone = (self._script.old.table(f.table) for f in self._lineages if not f.name)
        order, _ = parents_first(tuple(table for table in gone if table))
        for table in order:
            self.gaps.append(f"Only a backup has the rows of {table.name}.")
            yield table.sql

    def _create_objects(self) -> Iterator[str]:
        for kind in ("index", "view", "trigger"):
            afters = self._script.new.of(kind)
            for name, found in self._script.old.of(kind).items():
                if name not in afters or f"{kind} {name}" in self._recreated:
                    yield found.sql


def run_on(schema: Schema, statements: Sequence[str]) -> ScriptTrace:
    """Try statements on an empty database of a schema."""
    with closing(Sandbox(schema)) as sandbox:
        return sandbox.run("".join(f"{text};\n" for text in statements))


def _swap(trace: StatementTrace) -> tuple[str, str, str] | None:
    """Read `SET c = new WHERE c = old`, both plain literals: the column, new and old."""
    if trace.verb != "UPDATE" or trace.error:
        return None
    body = [t for t in trace.parsed.tokens if t.text != ";"]
    words = [t.word for t in body]
    if "SET" not in words or words.count("WHERE") != 1:
        return None
    start, where = words.index("SET") + 1, words.index("WHERE")
    first, second = body[start:where], body[where + 1 :]
    if not (_is_equation(first) and _is_equation(second)):
        return None
    if first[0].name.lower() != second[0].name.lower():
        return None
    return first[0].name, first[2].text, second[2].text


def _is_equation(part: list[Token]) -> bool:
    return (
        len(part) == 3  # noqa: PLR2004 - name, sign, literal
        and part[0].kind in (TokenKind.WORD, TokenKind.NAME)
        and part[1].text == "="
        and part[2].kind in (TokenKind.STRING, TokenKind.NUMBER)
    )


def _rebuild(old: Table, columns: Mapping[str, str], now: Structure) -> Iterator[str]:
    """Give a table its `old` shape; `columns` maps its columns to their present names.

    Triggers and views that mention the table, and triggers of its descendants, must be gone
    before, and be made again after.
    """
    table = old.name
    descendants = now.descendants_of(table)
    yield "PRAGMA defer_foreign_keys = ON"
    for child in descendants:
        names = quote_names(child.data_columns)
        yield f"CREATE TABLE {_parked(child)} AS SELECT {names} FROM {quote_name(child.name)}"
    for child in reversed(descendants):
        yield f"DELETE FROM {quote_name(child.name)}"
    kept = quote_name(_KEPT + table)
    targets, sources = quote_names(columns), quote_names(columns.values())
    yield _under_name(old.sql, table, _KEPT + table)
    yield f"INSERT INTO {kept} ({targets}) SELECT {sources} FROM {quote_name(table)}"
    if old.autoincrement:
        yield from _carry_sequence(table)
    yield f"DROP TABLE {quote_name(table)}"
    yield f"ALTER TABLE {kept} RENAME TO {quote_name(table)}"
    for child in descendants:
        names = quote_names(child.data_columns)
        yield f"INSERT INTO {quote_name(child.name)} ({names}) SELECT {names} FROM {_parked(child)}"
    for child in descendants:
        yield f"DROP TABLE {_parked(child)}"


def _under_name(sql: str, table: str, name: str) -> str:
    """The CREATE TABLE with another name; a reference to itself follows the new name."""
    found = tokens(sql, limit=len(sql))
    first = next(n for n, token in enumerate(found) if token.text == "(")
    places = [found[first - 1]]
    places += [
        token
        for before, token in pairwise(found)
        if before.word == "REFERENCES" and token.name.lower() == table.lower()
    ]
    for token in reversed(places):
        sql = sql[: token.start] + quote_name(name) + sql[token.end :]
    return sql


def _carry_sequence(table: str) -> Iterator[str]:
    """Keep the high-water mark, so that no deleted id is given out again."""
    old, new = quote_text(table), quote_text(_KEPT + table)
    yield f"DELETE FROM sqlite_sequence WHERE name = {new}"
    yield (
        f"INSERT INTO sqlite_sequence (name, seq)"
        f" SELECT {new}, seq FROM sqlite_sequence WHERE name = {old}"
    )


def _parked(table: Table) -> str:
    return quote_name(_PARKED + table.name)

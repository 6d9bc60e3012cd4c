"""Drafts a table's other shape as a plain rebuild, which the remedies then make safe."""

from collections.abc import Iterator, Sequence

from d1_preflight.core.errors import UsageError
from d1_preflight.core.remedies.patterns.pattern import (
    Draft,
    Wanted,
    column_of,
    free_name,
    name_in,
    table_of,
)
from d1_preflight.core.schema.ddl import column_definition, default_in, definitions, mentions
from d1_preflight.core.schema.schema import SchemaObject, Structure
from d1_preflight.core.schema.table import Column, Table
from d1_preflight.core.sql.tokenizer import Token, closing, quote_name, quote_names, tokens

_CONSTRAINTS = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})


def rebuild_draft(wanted: Wanted, now: Structure) -> Draft:
    """The new table, the copy, the swap, and every object that the old one had."""
    table = table_of(now, wanted.table)
    dropped = tuple(column_of(table, name).name for name in wanted.drop)
    if not dropped and not wanted.columns:
        raise UsageError(
            f"What should change in {table.name}?",
            hint="--drop COLUMN, or --column \"plan TEXT NOT NULL DEFAULT 'free'\"",
        )
    if dropped and not wanted.reason:
        raise UsageError(
            f"The values of {', '.join(dropped)} are lost.",
            hint="Say why that is acceptable: --reason WORDS",
        )
    shape = _Shape(table, dropped, wanted.columns, free_name(now, f"{table.name}_new"))
    objects = tuple(_objects(now, table.name))
    _refuse_views(objects, dropped)
    gone = [o for o in objects if any(mentions(o.sql, column) for column in dropped)]
    up = (*_drops(objects, table), *shape.statements(), *_creates(objects, gone))
    notes = tuple(f"{o.kind.capitalize()} {o.name} is dropped with its column." for o in gone)
    return Draft(
        up,
        None,
        notes=(*notes, *shape.notes),
        losses=tuple(f"{table.name}.{name}" for name in dropped),
        changes=tuple(f"{table.name}.{name}" for name in shape.retyped),
        reason=wanted.reason,
        made_safe=True,
    )


class _Shape:
    """The new table: the old text, with other definitions in it."""

    def __init__(
        self, table: Table, dropped: Sequence[str], changed: Sequence[str], new: str
    ) -> None:
        self._table, self._new = table, new
        self._dropped = {name.lower() for name in dropped}
        self._changed = {name_in(text).lower(): " ".join(text.split()) for text in changed}
        self.notes: list[str] = []
        self.retyped = [c.name for c in table.columns if c.name.lower() in self._changed]

    def statements(self) -> Iterator[str]:
        """The four statements of a rebuild."""
        old, new = quote_name(self._table.name), quote_name(self._new)
        yield self._create()
        kept = [c for c in self._table.columns if self._is_copied(c)]
        chosen = ", ".join(map(self._source, kept))
        into = quote_names(column.name for column in kept)
        yield f"INSERT INTO {new} ({into}) SELECT {chosen} FROM {old}"
        yield f"DROP TABLE {old}"
        yield f"ALTER TABLE {new} RENAME TO {old}"

    def _is_copied(self, column: Column) -> bool:
        changed = self._changed.get(column.name.lower(), "")
        is_generated = {"GENERATED", "AS"} & {token.word for token in tokens(changed)}
        return column.holds_data and column.name.lower() not in self._dropped and not is_generated

    def _source(self, column: Column) -> str:
        """The old value; the default where the column may hold NULL no more."""
        name = quote_name(column.name)
        text = self._changed.get(column.name.lower(), "")
        words = [token.word for token in tokens(text)]
        is_needed = any(words[n : n + 2] == ["NOT", "NULL"] for n in range(len(words)))
        if not is_needed or column.notnull or column.pk:
            return name
        default = default_in(tokens(text))
        if not default:
            raise UsageError(
                f"{self._table.name}.{column.name} may hold NULL now: what replaces it?",
                hint="Give the new definition a DEFAULT.",
            )
        return f"coalesce({name}, {text[default[0].start : default[-1].end]})"

    def _create(self) -> str:
        sql = self._table.sql
        found = tokens(sql, limit=len(sql))
        opening = next(n for n, token in enumerate(found) if token.text == "(")
        parts = [self._part(sql, part) for part in definitions(found)]
        last = max((n for n, (is_column, _) in enumerate(parts) if is_column), default=-1)
        fresh = [(True, t) for n, t in self._changed.items() if self._table.column(n) is None]
        parts[last + 1 : last + 1] = fresh
        body = ",\n".join(f"  {text}" for _, text in parts if text)
        end = found[closing(found, opening)].end
        return f"CREATE TABLE {quote_name(self._new)} (\n{body}\n){sql[end:]}".rstrip()

    def _part(self, sql: str, part: tuple[Token, ...]) -> tuple[bool, str]:
        """Whether a part is a column, and its new text, "" where it goes."""
        text = sql[part[0].start : part[-1].end]
        name = part[0].name.lower()
        if part[0].word not in _CONSTRAINTS:
            return True, "" if name in self._dropped else self._changed.get(name, text)
        stop = next((n for n, t in enumerate(part) if t.word == "REFERENCES"), len(part))
        about = {token.name.lower() for token in part[:stop]} & self._dropped
        if not about:
            return False, text
        if "PRIMARY" in {token.word for token in part[:stop]}:
            raise UsageError(
                f"{', '.join(sorted(about))} is part of the primary key.",
                hint="Write the new key by hand: leave --pattern out.",
            )
        self.notes.append(f"{' '.join(text.split())} is dropped with its column.")
        return False, ""


def _objects(now: Structure, table: str) -> Iterator[SchemaObject]:
    """The indexes and triggers of a table, and the views and triggers that name it."""
    for found in (*now.indexes.values(), *now.views.values(), *now.triggers.values()):
        is_its_own = found.kind != "view" and found.table.lower() == table.lower()
        if is_its_own or (found.kind != "index" and mentions(found.sql, table)):
            yield found


def _refuse_views(objects: Sequence[SchemaObject], dropped: Sequence[str]) -> None:
    for found in objects:
        column = next((name for name in dropped if mentions(found.sql, name)), "")
        if column and found.kind != "index":
            raise UsageError(
                f"{found.kind.capitalize()} {found.name} uses {column}.",
                hint="Write it without the column in an earlier migration.",
            )


def _drops(objects: Sequence[SchemaObject], table: Table) -> Iterator[str]:
    """What would stand in the rename's way."""
    for found in objects:
        if found.kind == "view" or (
            found.kind == "trigger" and found.table.lower() != table.name.lower()
        ):
            yield f"DROP {found.kind.upper()} {quote_name(found.name)}"


def _creates(objects: Sequence[SchemaObject], gone: Sequence[SchemaObject]) -> Iterator[str]:
    order = {"index": 0, "view": 1, "trigger": 2}
    for found in sorted(objects, key=lambda o: order[o.kind]):
        if found not in gone:
            yield found.sql


def definition_of(table: Table, column: str) -> str:
    """A column's present definition, to be changed by a person."""
    return " ".join(column_definition(table.sql, column).split())

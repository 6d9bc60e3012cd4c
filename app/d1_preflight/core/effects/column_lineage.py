"""Lineage of single values: which column of which table holds those of a pre-existing column.

A value counts as faithful where it was copied as it is, and as derived where an expression made
another of it. `row_lineage` calls this for every statement.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from d1_preflight.core.engine.trace import StatementTrace
from d1_preflight.core.schema.schema import Structure
from d1_preflight.core.sql.statement import ColumnReads, CopySource
from d1_preflight.core.sql.tokenizer import Token, TokenKind
from d1_preflight.lazy_dataclass import dataclass

Origin = tuple[str, str]
"""A pre-existing table and one of its columns, both in lower case."""
_Columns = dict[str, dict[Origin, bool]]  # column -> whose values it holds, and whether faithfully
_ROWIDS = frozenset({"rowid", "oid", "_rowid_"})
_NAMES = (TokenKind.WORD, TokenKind.NAME)
_NO_COLUMN = frozenset({"NULL", "TRUE", "FALSE", "DISTINCT", "ALL"})


@dataclass(frozen=True, slots=True)
class ColumnLineage:
    """Where a column's values are at the end: in another column, only derived, or nowhere."""

    moved: Mapping[str, str]
    derived: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    def dropped(self, *, filled: bool) -> tuple[str, ...]:
        """The columns without their values; in a table altered in place the moved ones too."""
        return self.absent if filled else (*self.absent, *self.moved)


class ColumnContents:
    """What every column holds at a point of the script."""

    def __init__(self, old: Structure, new: Structure) -> None:
        self._old, self._new = old, new
        self._tables: dict[str, _Columns] = {}

    def forget(self, table: str) -> None:
        """The table is gone."""
        self._tables[table.lower()] = {}

    def rename(self, table: str, name: str) -> None:
        """The table has another name."""
        self._tables[name.lower()] = self._of(table)
        self._tables[table.lower()] = {}

    def alter(self, trace: StatementTrace) -> None:
        """A column has another name, or is gone."""
        held = dict(self._of(trace.target))
        values = held.pop(trace.parsed.column.lower(), {})
        if trace.verb == "ALTER TABLE RENAME COLUMN":
            held[trace.parsed.new_name.lower()] = values
        self._tables[trace.target.lower()] = held

    def fill(self, trace: StatementTrace, *, fresh: bool) -> None:
        """Rows were copied into a table; `fresh` where it held no pre-existing rows."""
        held = {} if fresh else {name: dict(of) for name, of in self._of(trace.target).items()}
        for name, values in self._copied(trace):
            held.setdefault(name.lower(), {}).update(values)
        self._tables[trace.target.lower()] = held

    def update(self, trace: StatementTrace) -> None:
        """An UPDATE wrote columns; what it does not name stays as it is."""
        held = dict(self._of(trace.target))
        before = dict(held)
        names = {(trace.parsed.alias or trace.target).lower()}
        for n, (name, expression) in enumerate(trace.parsed.sets):
            single = plain_column(expression, names).lower()
            if single in before and single != name.lower() and _reaches_all(trace):
                held[name.lower()] = dict(before[single])
                continue
            derived = dict.fromkeys(before.get(name.lower(), {}), False)
            read = self._read_in(trace, expression)
            if trace.parsed.reads:
                read = dict.fromkeys(self._held(trace, trace.parsed.reads[n]), False)
            held[name.lower()] = derived | read
        self._tables[trace.target.lower()] = held

    def lineage(self, origin: str, table: str) -> ColumnLineage | None:
        """Where the values of a pre-existing table are now in `table`; None: all untouched."""
        held, known = self._tables.get(table.lower()), self._old.table(origin)
        after = self._new.table(table)
        if after is None or held is None or known is None:
            return None
        moved, derived, absent = dict[str, str](), list[str](), list[str]()
        for column in (c.name for c in known.columns if not c.hidden):
            key = (origin.lower(), column.lower())
            found = {name: of[key] for name, of in held.items() if key in of}
            if not found:
                absent.append(column)
            elif column.lower() not in found:
                home = after.column(max(found, key=lambda name: found[name]))
                moved[column] = home.name if home else ""
            elif not found[column.lower()]:
                derived.append(column)
        return ColumnLineage(moved, tuple(derived), tuple(absent))

    def _of(self, table: str) -> _Columns:
        lower = table.lower()
        known = self._old.table(lower)
        if lower not in self._tables:
            names = [c.name.lower() for c in known.columns] if known else []
            self._tables[lower] = {name: {(lower, name): True} for name in names}
        return self._tables[lower]

    def _copied(self, trace: StatementTrace) -> Iterator[tuple[str, dict[Origin, bool]]]:
        copied = trace.parsed.copy
        if copied is None:
            return
        targets = trace.parsed.columns or trace.into
        held = self._of(copied.source) if copied.source else {}
        values = [self._held(trace, reads) for reads in trace.parsed.reads]
        values = values or list(self._values(trace, held, copied))
        if len(values) == len(targets):
            yield from zip(targets, values, strict=True)
            return
        for name in targets:  # a `*` over several tables: by name, as near as can be known
            yield name, dict.fromkeys(held.get(name.lower(), {}), False)

    def _held(self, trace: StatementTrace, reads: ColumnReads) -> dict[Origin, bool]:
        """The pre-existing values that a column gets, by the present columns that it reads."""
        found: dict[Origin, bool] = {}
        for (table, column), faithful in reads.items():
            held = self._of(table).get(column, {}) if table else self._read(trace, {column})
            for origin, kept in held.items():
                found[origin] = found.get(origin, False) or (kept and faithful)
        return found

    def _values(
        self, trace: StatementTrace, held: _Columns, copied: CopySource
    ) -> Iterator[dict[Origin, bool]]:
        for expression in copied.expressions:
            single = plain_column(expression, copied.names).lower()
            star = expression and expression[-1].text == "*" and len(expression) in (1, 3)
            if star and (len(expression) == 1 or expression[0].name.lower() in copied.names):
                for name in trace.source:
                    yield dict(held.get(name.lower(), {})) or self._read(trace, {name.lower()})
            elif single in held:
                yield dict(held[single])
            else:
                yield self._read_in(trace, expression)

    def _read_in(self, trace: StatementTrace, expression: Sequence[Token]) -> dict[Origin, bool]:
        names = {token.name.lower() for token in expression if token.kind in _NAMES}
        return self._read(trace, names)

    def _read(self, trace: StatementTrace, names: set[str]) -> dict[Origin, bool]:
        """Whose values the named columns bring, of all that the statement reads."""
        found: dict[Origin, bool] = {}
        for table, column in trace.access.reads:
            known = self._old.table(table)
            is_rowid = bool(names & _ROWIDS) and known and column in known.primary_key
            if column.lower() in names or is_rowid:
                found.update(dict.fromkeys(self._of(table).get(column.lower(), {}), False))
        return found


def plain_column(expression: Sequence[Token], names: Collection[str]) -> str:
    """The column of one of `names` that an expression is, whatever its alias; "" if more."""
    part = list(expression)
    last = 2  # a name, or a name with its table, before an alias
    if len(part) > 1 and part[-2].word == "AS":
        part = part[:-2]
    elif len(part) in (last, last + 2) and part[-1].kind in _NAMES:
        if part[-1].word in ("ISNULL", "NOTNULL"):
            return ""
        part = part[:-1] if part[0].word != "NOT" else part
    if len(part) > last and part[-2].text == ".":
        if part[-3].name.lower() not in names:
            return ""
        part = part[-1:] if len(part) in (3, 5) else part
    is_name = len(part) == 1 and part[0].kind in _NAMES
    return part[0].name if is_name and part[0].word not in _NO_COLUMN else ""


def _reaches_all(trace: StatementTrace) -> bool:
    """Whether an UPDATE writes every row, or all but those that have no value to move."""
    if trace.parsed.joined:
        return False
    if not trace.parsed.filtered:
        return True
    words = [token.text.upper() for token in trace.parsed.tokens if token.text != ";"]
    return words[-5::2] == ["WHERE", "IS", "NULL"] and words[-2] == "NOT"

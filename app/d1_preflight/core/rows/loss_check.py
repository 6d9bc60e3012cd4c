"""Compares the observed row diff with the predicted effects and the declared losses.

A loss is accepted only if the effects predict it, the migration's class admits it, and the
operator named the table. Every other loss is unexplained, and blocks.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from enum import StrEnum

from d1_preflight.core.effects.row_lineage import row_lineage
from d1_preflight.core.engine.sandbox import Sandbox
from d1_preflight.core.findings import Analysis, Effects, Kind
from d1_preflight.core.format import count
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.rows.row_diff import Pairing, Renames, RowDiff, TableDiff
from d1_preflight.core.schema.schema import Schema
from d1_preflight.core.sql.tokenizer import quote_name
from d1_preflight.lazy_dataclass import dataclass


class LossStatus(StrEnum):
    """The verdict on one table's diff."""

    UNTOUCHED = "untouched"
    EXPLAINED = "explained"
    UNEXPLAINED = "not explained"


@dataclass(frozen=True, slots=True)
class LossVerdict:
    """One row of the rehearsal's table: the diff, its status, and the reason."""

    diff: TableDiff
    status: LossStatus
    words: str = ""

    undeclared: bool = False  # it is explained, and a person has yet to declare it

    @property
    def blocks(self) -> bool:
        """Whether this table keeps the gate shut."""
        return self.status is LossStatus.UNEXPLAINED


@dataclass(frozen=True, slots=True)
class _Point:
    """One change of a table, and whether it is accepted."""

    words: str
    is_fine: bool
    undeclared: bool = False


def check_losses(
    row_diff: RowDiff,
    analysis: Analysis,
    declared: Collection[str] | None = (),
    measured: Mapping[str, tuple[int, int]] | None = None,
) -> tuple[LossVerdict, ...]:
    """Judge every table; `declared` names the tables whose losses the operator confirmed.

    None: they are declared once they are measured, so that only an unpredicted one blocks.
    `measured` has the lost rows and nulled references that the operator saw, by table in lower
    case: a larger loss was not confirmed.
    """
    named = None if declared is None else frozenset(name.lower() for name in declared)
    judge = _Judge(analysis, named, measured or {})
    judged = [judge.judge(table) for table in row_diff.tables]
    order = (LossStatus.UNEXPLAINED, LossStatus.EXPLAINED, LossStatus.UNTOUCHED)
    return tuple(sorted(judged, key=lambda one: order.index(one.status)))


def renames_by(migration: Migration, prior: Schema) -> Renames:
    """The new names that a migration gives, for `diff_rows`."""
    with closing(Sandbox(prior)) as sandbox:
        script = sandbox.run(migration.text)
    tables, columns = {}, {}
    for lineage in row_lineage(script):
        new = script.new.table(lineage.name or "")
        if lineage.name is None or new is None:
            continue
        if lineage.name.lower() != lineage.table.lower():
            tables[lineage.table] = lineage.name
        for old, moved in lineage.moved.items():
            if old.lower() != moved.lower() and new.column(moved):
                columns[f"{lineage.table}.{old}"] = moved
    names = {name.lower(): name for name in tables.values()} | {
        table.lower(): table for table in script.old.tables
    }
    back = {to.lower(): old for old, to in tables.items()}
    for trace in script.statements:
        if trace.verb == "ALTER TABLE RENAME COLUMN" and not trace.error:
            table = back.get(trace.target.lower(), names.get(trace.target.lower(), trace.target))
            _follow(columns, table, trace.parsed.column, trace.parsed.new_name)
    return Renames(tables, columns)


def _follow(columns: dict[str, str], table: str, old: str, new: str) -> None:
    """Note one rename, after any earlier ones of the same column."""
    for place, name in columns.items():
        if place.lower().startswith(f"{table.lower()}.") and name.lower() == old.lower():
            columns[place] = new
            return
    columns[f"{table}.{old}"] = new


def renamed(prior: Schema, renames: Renames) -> Schema:
    """The schema after these renames alone, with all that refers to them, as SQLite writes it.

    One that SQLite refuses (two columns that swap their names) is left out: what it would have
    explained then counts as a change.
    """
    with closing(Sandbox(prior)) as sandbox:
        for statement in _statements(renames):
            sandbox.run(statement, keep=True)
        return sandbox.schema


def _statements(renames: Renames) -> Iterator[str]:
    for place, new in renames.columns.items():
        table, _, column = place.partition(".")
        names = (quote_name(name) for name in (table, column, new))
        yield "ALTER TABLE {} RENAME COLUMN {} TO {}".format(*names)
    for old, new in renames.tables.items():
        yield f"ALTER TABLE {quote_name(old)} RENAME TO {quote_name(new)}"


@dataclass(frozen=True, slots=True)
class _Judge:
    """The migration's effects, its class and the declared tables, asked table by table."""

    _analysis: Analysis
    _declared: frozenset[str] | None
    _measured: Mapping[str, tuple[int, int]]

    @property
    def _effects(self) -> Effects:
        return self._analysis.effects

    def judge(self, table: TableDiff) -> LossVerdict:
        """The verdict on one table."""
        points = tuple(self._points(table))
        wrong = [point.words for point in points if not point.is_fine]
        if wrong:
            return LossVerdict(table, LossStatus.UNEXPLAINED, "; ".join(wrong))
        words = "; ".join(point.words for point in points)
        status = LossStatus.EXPLAINED if points else LossStatus.UNTOUCHED
        return LossVerdict(table, status, words, any(point.undeclared for point in points))

    def _points(self, table: TableDiff) -> Iterator[_Point]:
        yield from self._more(table)
        if table.failure:
            yield _Point(f"{table.failure}: {_rebuild(table)}", is_fine=False)
        if table.before is None:
            is_fine = _has(self._effects.tables_created, table.table)
            yield _Point(
                "created" if is_fine else "appeared, not explained by a statement", is_fine
            )
        elif table.after is None:
            yield self._gone(table)
        elif table.content:
            yield from self._index(table)
        else:
            yield from self._rows(table)
            yield from self._columns(table)
            if table.reissues:
                yield self._renumbered(table)

    def _more(self, table: TableDiff) -> Iterator[_Point]:
        """A loss larger than the one that was confirmed."""
        name = table.table.lower()
        if name not in (self._declared or ()) or name not in self._measured:
            return
        nulled = sum(rows for _, rows in table.nulled)
        for found, most, what in zip(
            (table.lost, nulled), self._measured[name], ("lost", "nulled"), strict=True
        ):
            if found > most:
                words = f"{count(found)} {what}, {count(most)} declared"
                yield _Point(words, is_fine=False)

    def _gone(self, table: TableDiff) -> _Point:
        predicted = _has(self._effects.tables_dropped, table.table)
        if predicted and not table.lost:
            return _Point("dropped, was empty", is_fine=True)
        return self._declarable("dropped", table.table, predicted=predicted)

    def _index(self, table: TableDiff) -> Iterator[_Point]:
        """A full-text index has no rows of its own: it must follow those of its content."""
        if table.strays:
            yield _Point(
                f"{table.strays:,} entries and rows of {table.content} have lost each other: "
                f"{_rebuild(table)}",
                is_fine=False,
            )
        elif table.before != table.after:
            yield _Point(f"follows {table.content}", is_fine=True)

    def _renumbered(self, table: TableDiff) -> _Point:
        """A falling AUTOINCREMENT mark is accepted only if a traced statement lowers it."""
        predicted = self._rebuilt(table.table) or self._effects.sequences_written
        words = f"ids above {count(table.issued_after)} are issued again"
        words += f" (up to {count(table.issued_before)})"
        if predicted and self._changes_values:
            return _Point(words, is_fine=True)
        return _Point(f"{words}, not explained by a statement", is_fine=False)

    def _rows(self, table: TableDiff) -> Iterator[_Point]:
        name = table.table
        deleted = _has(self._effects.rows_deleted_in, name)
        updated = _has(self._effects.rows_updated_in, name) and self._changes_values
        renewed = updated and not deleted and 0 < table.lost <= table.added
        if renewed:
            what = "rows changed" if table.pairing is Pairing.CONTENT else "keys changed"
            yield _Point(f"{what}{self._from(name)}", is_fine=True)
        elif table.lost:
            yield self._declarable("rows lost", name, predicted=deleted or self._rebuilt(name))
        if table.added and not renewed and self._rebuilt(name):
            yield self._declarable("rows added by the rebuild", name, predicted=True)
        elif table.added and not renewed:
            predicted = _has(self._effects.rows_inserted_in, name)
            words = "rows added" if predicted else "rows added, not explained by a statement"
            yield _Point(words, predicted)

    def _columns(self, table: TableDiff) -> Iterator[_Point]:
        name, effects = table.table, self._effects
        updated = _has(effects.rows_updated_in, name)
        for column, _ in table.nulled:
            predicted = updated or _has(effects.references_nulled_in, f"{name}.{column}")
            yield self._declarable(
                f"{column} nulled", name, predicted=predicted or self._rebuilt(name)
            )
        for column, _ in table.altered:
            if updated and self._changes_values:
                yield _Point(f"{column} changed", is_fine=True)
            else:
                predicted = _has(effects.references_nulled_in, f"{name}.{column}")
                predicted = predicted or self._rebuilt(name)
                yield self._declarable(f"{column} changed", name, predicted=predicted)
        held = {column for column, _ in table.dropped}
        for column in table.columns_gone:
            predicted = _has(effects.columns_dropped, f"{name}.{column}") or self._rebuilt(name)
            if column in held or not predicted:
                yield self._declarable(f"{column} dropped", name, predicted=predicted)
            else:
                yield _Point(f"{column} dropped, held no value", is_fine=True)

    def _rebuilt(self, table: str) -> bool:
        return _has(self._effects.tables_rebuilt, table)

    @property
    def _changes_values(self) -> bool:
        return self._analysis.kind in (Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE)

    def _declarable(self, what: str, table: str, *, predicted: bool) -> _Point:
        """A loss is accepted if the effects predict it, the class admits it, and it is declared."""
        if not predicted or not self._changes_values:
            return _Point(f"{what}, not explained by a statement", is_fine=False)
        if self._declared is None:
            words = f"{what}{self._from(table)}, to be declared"
            return _Point(words, is_fine=True, undeclared=True)
        if table.lower() in self._declared:
            return _Point(f"{what}, as declared", is_fine=True)
        return _Point(f"{what}{self._from(table)}, not declared", is_fine=False)

    def _from(self, table: str) -> str:
        """Where it comes from, as far as a finding or a reason names the table."""
        for finding in self._analysis.findings:
            if _has(finding.tables, table) and finding.rows_at_risk:
                return _place(finding.rule, finding.line)
        for reason in self._analysis.reasons:
            if f'"{table}"' in reason.text or f'"{table}.' in reason.text:
                return _place(reason.text, reason.line)
        return ""


def _rebuild(table: TableDiff) -> str:
    return f"INSERT INTO {table.table}({table.table}) VALUES ('rebuild')"


def _place(cause: str, line: int) -> str:
    by = " by cascade" if "cascade" in cause.lower() else ""
    return f"{by} from line {line}"


def _has(names: Collection[str], name: str) -> bool:
    return name.lower() in {known.lower() for known in names}

"""One batched read of a database: its ledger, schema, counts and integrity."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta

from d1_preflight.core.schema.schema import SCHEMA_QUERY, Schema
from d1_preflight.core.sql.tokenizer import quote_name
from d1_preflight.lazy_dataclass import dataclass

# One result has at most 100 columns on D1 (docs: platform limits), one statement 100 KB.
_COUNTS_PER_STATEMENT = 90
_SERVES = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One applied migration, a row of `d1_migrations`."""

    id: int
    name: str
    applied_at: str


@dataclass(frozen=True, slots=True)
class Observation:
    """The database as it was at `taken_at`; `schema` is without the ledger table.

    `ledger_triggers` fire as a migration's row is written; no rehearsal has them. `ledger_ddl` is
    the ledger's table and its indexes, as they were declared.
    """

    taken_at: datetime
    ledger: tuple[LedgerRow, ...]
    schema: Schema
    counts: Mapping[str, int] = field(default_factory=dict)
    quick_check: str = ""
    broken_references: int = 0
    ledger_triggers: tuple[str, ...] = ()
    ledger_ddl: tuple[str, ...] = ()

    def serves(self, now: datetime) -> bool:
        """Whether it is so new that it serves the steps after the one that looked, too."""
        return timedelta() <= now - self.taken_at < _SERVES

    def continues(self, earlier: "Observation") -> bool:
        """Whether this ledger is the earlier one with rows added or removed at its end."""
        return all(a == b for a, b in zip(self.ledger, earlier.ledger, strict=False))

    @property
    def applied(self) -> frozenset[str]:
        """The names in the ledger."""
        return frozenset(row.name for row in self.ledger)

    def ledger_row(self, name: str) -> LedgerRow | None:
        """The ledger's row for a migration."""
        return next((row for row in self.ledger if row.name == name), None)

    def times(self, name: str) -> int:
        """How many rows of the ledger are this migration's."""
        return sum(row.name == name for row in self.ledger)


@dataclass(frozen=True, slots=True)
class Question:
    """The statements of one batched read, and how to read the answers back."""

    ledger_table: str
    tables: tuple[str, ...] = ()
    checks: bool = False
    with_ledger: bool = True

    @property
    def sql(self) -> str:
        """All statements, for one `wrangler d1 execute --json --command=`."""
        return " ".join(f"{statement};" for statement in self.statements)

    @property
    def statements(self) -> tuple[str, ...]:
        """Schema, ledger, counts, checks: in the order in which `read` expects the answers."""
        found = [SCHEMA_QUERY]
        if self.with_ledger:
            found.append(ledger_statement(self.ledger_table))
        found += count_statements(self.tables)
        if self.checks:
            found.append("PRAGMA quick_check")
            found.append("SELECT count(*) AS broken FROM pragma_foreign_key_check")
        return tuple(found)

    def read(
        self, answers: Sequence[Sequence[Mapping[str, object]]], taken_at: datetime
    ) -> Observation:
        """The observation in these answers; raises ValueError if one is missing."""
        if len(answers) != len(self.statements):
            raise ValueError(f"expected {len(self.statements)} answers, got {len(answers)}")
        rest = list(answers)
        whole = Schema.from_rows(rest.pop(0))
        ledger = rest.pop(0) if self.with_ledger else ()
        number = len(count_statements(self.tables))
        counts, rest = read_counts(self.tables, rest[:number]), rest[number:]
        own = [o for o in whole.objects if o.table.lower() == self.ledger_table.lower()]
        return Observation(
            taken_at,
            read_ledger(ledger),
            whole.without(self.ledger_table),
            counts,
            quick_check="; ".join(str(v) for row in rest.pop(0) for v in row.values())
            if self.checks
            else "",
            broken_references=_integer(rest.pop(0)[0]["broken"]) if self.checks else 0,
            ledger_triggers=tuple(o.name for o in own if o.kind == "trigger"),
            ledger_ddl=tuple(o.sql for o in own if o.kind != "trigger"),
        )


def ledger_statement(table: str) -> str:
    """The statement that reads the whole ledger, in its own order."""
    return f"SELECT id, name, applied_at FROM {quote_name(table)} ORDER BY id"


def read_ledger(rows: Sequence[Mapping[str, object]]) -> tuple[LedgerRow, ...]:
    """The ledger out of the answer to `ledger_statement`; raises ValueError or KeyError."""
    return tuple(LedgerRow(_integer(r["id"]), str(r["name"]), str(r["applied_at"])) for r in rows)


def count_statements(tables: Sequence[str]) -> tuple[str, ...]:
    """The statements that count the rows of these tables, as few as D1's limits allow."""
    counts = "(SELECT count(*) FROM {}) AS c{}".format
    return tuple(
        "SELECT " + ", ".join(counts(quote_name(table), n) for n, table in enumerate(chunk))
        for chunk in _chunks(tables)
    )


def read_counts(
    tables: Sequence[str], answers: Sequence[Sequence[Mapping[str, object]]]
) -> dict[str, int]:
    """The counts out of the answers to `count_statements`."""
    return {
        table: _integer(answer[0][f"c{n}"])
        for chunk, answer in zip(_chunks(tables), answers, strict=True)
        for n, table in enumerate(chunk)
    }


def _chunks(tables: Sequence[str]) -> tuple[Sequence[str], ...]:
    size = _COUNTS_PER_STATEMENT
    return tuple(tables[n : n + size] for n in range(0, len(tables), size))


def _integer(value: object) -> int:
    if isinstance(value, (int, float)):
        return int(value)
    raise ValueError(f"{value!r} is not a number")

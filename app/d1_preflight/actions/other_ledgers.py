"""Another tool's ledger beside wrangler's: its row is written in the same batch as the migration.

Only where the row is surely known. Else that tool would apply the file again, so nothing is
applied.
"""

from collections.abc import Mapping, Sequence

from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.actions.target import read_batch
from d1_preflight.actions.workspace import Folder
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.record.change_facts import CopyFacts, RowBeside
from d1_preflight.core.record.signed_plan import SignedPlan
from d1_preflight.core.rows.codec import RawText, decode, wire
from d1_preflight.core.schema.schema import tables_of
from d1_preflight.core.schema.table import Table
from d1_preflight.core.sql.tokenizer import quote_name
from d1_preflight.core.target.ledger_rows import Books, NoRow, OtherLedger, row_beside
from d1_preflight.core.target.ledgers import kept_ledgers, refusal
from d1_preflight.core.target.snapshot import Observation


async def rows_beside(context: StepContext, seen: Observation) -> tuple[RowBeside, ...]:
    """The rows for the other ledgers of a target; raises NotAllowed where one is not known."""
    environment = context.environment
    names = (file.name for file in environment.files.files())
    if said := environment.migration().naming.gone_from(names):
        raise NotAllowed(said, hint="Nothing was copied or applied. Bring the file back.")
    ignored = environment.settings.migrations.ignore_ledgers
    kept = kept_ledgers(seen.schema, seen.counts, ignored)
    if not kept:
        return ()
    tables = {table.name: table for table in tables_of(seen.schema)}
    asked = [f"SELECT * FROM {quote_name(ledger.table)}" for ledger in kept]
    results, _ = await read_batch(environment, asked, emit=context.emit)  # kept out of evidence
    ledgers = [
        OtherLedger(tables[ledger.table], result.rows)
        for ledger, result in zip(kept, results, strict=True)
    ]
    found, reasons = _rows(environment, ledgers, seen.applied)
    if reasons:
        named = {ledger: reasons[ledger.table] for ledger in kept if ledger.table in reasons}
        raise NotAllowed(refusal(named), hint="Nothing was copied or applied.")
    return found


def _rows(
    environment: Environment, ledgers: Sequence[OtherLedger], applied: frozenset[str]
) -> tuple[tuple[RowBeside, ...], Mapping[str, str]]:
    """The row of each ledger, and the reasons of those whose row is not known."""
    books = Books(environment.files.migrations(), applied, environment.files.journal())
    file, reasons, found = environment.migration(), dict[str, str](), list[RowBeside]()
    touched = {name.lower() for name in environment.analysis().effects.tables_touched}
    for ledger in ledgers:
        name = ledger.table.name
        if name.lower() in touched:
            reasons[name] = "the file itself changes that table"
            continue
        try:
            noted = row_beside(ledger, file, books)
        except NoRow as error:
            reasons[name] = str(error)
        else:
            found.append(RowBeside(table=name, sql=noted.insert, question=noted.question))
    return tuple(found), reasons


def ledgers_beside(context: StepContext) -> tuple[str, ...]:
    """The other ledgers that the apply writes to, too."""
    return tuple(row.table for row in context.facts(CopyFacts).beside)


def sql_beside(context: StepContext) -> str:
    """What stands after the migration in its batch; "" where there is no other ledger."""
    return "".join(f"\n{row.sql}\n" for row in context.facts(CopyFacts).beside)


def require_rows_as_signed(
    context: StepContext, plan: SignedPlan, seen: Observation, moved: Sequence[str]
) -> None:
    """Raise NotAllowed where another ledger, or what it is told, is not as it was at GO."""
    named = context.facts(CopyFacts).beside
    if tuple(row.sql for row in named) != plan.proofs.also_writes:
        raise NotAllowed(
            "The rows for other tools' ledgers are not the ones that were signed.", hint=_HINT
        )
    changed = [row.table for row in named if row.table in moved]
    if not changed and _copied(context, seen, named) != named:
        changed = [row.table for row in named]
    if changed:
        raise NotAllowed(
            f"Since the copy, {', '.join(changed)} or its tool's journal changed.", hint=_HINT
        )


_HINT = "Nothing was applied. Copy and rehearse again, then sign GO."


def _copied(
    context: StepContext, seen: Observation, named: Sequence[RowBeside]
) -> tuple[RowBeside, ...]:
    """The rows once more, by the ledgers in the copy and the files as they are now."""
    if not named:
        return ()
    environment = context.environment
    tables = {table.name: table for table in tables_of(seen.schema)}
    ledgers = [OtherLedger(tables[r.table], _held(environment, tables[r.table])) for r in named]
    return _rows(environment, ledgers, seen.applied)[0]


def _held(environment: Environment, table: Table) -> list[Mapping[str, object]]:
    """A ledger's rows in the copy on this machine."""
    file = environment.local.file(Folder.COPY.of(environment))
    names = ", ".join(wire(quote_name(name)) for name in table.column_names)
    with environment.local.attached(copy=file) as connection:
        found = connection.execute(f"SELECT {names} FROM copy.{quote_name(table.name)}")
        return [dict(zip(table.column_names, map(_shown, row), strict=True)) for row in found]


def _shown(cell: object) -> object:
    """A value as wrangler's JSON has it: bytes that are not UTF-8 are replaced."""
    value = decode(None if cell is None else str(cell))
    return value.data.decode(errors="replace") if isinstance(value, RawText) else value


async def missing_beside(context: StepContext) -> tuple[RowBeside, ...]:
    """The rows of other ledgers that the target does not hold."""
    named = context.facts(CopyFacts).beside
    if not named:
        return ()
    asked = [row.question for row in named]
    results, _ = await read_batch(context.environment, asked, emit=context.emit)
    answers = [result.rows[0] if result.rows else {} for result in results]
    return tuple(row for row, found in zip(named, answers, strict=True) if not any(found.values()))

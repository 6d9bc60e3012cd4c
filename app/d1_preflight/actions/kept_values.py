"""At the close of what was kept: do the touched tables still hold what the rehearsal came to?

Of a change of data alone neither the schema nor the ledger shows that it stands. On a living
database values move all the time: what moved is named; only values from before contradict.
"""

from d1_preflight.actions.context import StepContext
from d1_preflight.actions.target import Look, observe
from d1_preflight.actions.values import local_of
from d1_preflight.actions.verify_values import rehearsed_question
from d1_preflight.actions.workspace import copy_folder, rehearsal_folder
from d1_preflight.core.errors import NotAllowed, RemoteFailed
from d1_preflight.core.record.change_facts import CopyFacts, RehearsalFacts, row_counts
from d1_preflight.core.rows.values import ValueQuestion, Values
from d1_preflight.lazy_dataclass import dataclass

_CHEAP_ROWS = 100_000
"""Where the schema shows that it was kept, larger tables are not read once more for it."""


@dataclass(frozen=True, slots=True)
class KeptValues:
    """What the close says of the values: in words, and the tables that moved or were put back."""

    words: str = ""
    moved: tuple[str, ...] = ()
    put_back: tuple[str, ...] = ()


async def look_at_kept(context: StepContext) -> tuple[Look, KeptValues]:
    """Ledger and schema, and in the same read the values of what the migration touched."""
    environment, keep = context.environment, context.evidence_name
    question, missing = _question(context)
    try:
        look = await observe(environment, extra=question.statements, keep=keep, emit=context.emit)
    except RemoteFailed as error:
        if not question.statements or "no such" not in error.message:
            raise
        words = f"Values were not compared: {error.message}"
        return await observe(environment, keep=keep, emit=context.emit), KeptValues(words)
    return look, KeptValues(missing) if missing else _compared(context, question.read(look.extra))


def is_data_alone(context: StepContext) -> bool:
    """Whether the migration changed rows and nothing of the schema."""
    return context.facts(RehearsalFacts).schema_after == context.facts(CopyFacts).schema


def _question(context: StepContext) -> tuple[ValueQuestion, str]:
    """What is asked, or why nothing can be compared."""
    if not context.environment.local.file(rehearsal_folder(context.environment)).is_file():
        words = "Values were not compared: the rehearsal is not on this machine."
        return ValueQuestion(), words if is_data_alone(context) else ""
    try:
        question = rehearsed_question(context)
    except NotAllowed as error:
        return ValueQuestion(), f"Values were not compared: {error.message}"
    counts = row_counts(context.facts(RehearsalFacts).counts_after)
    rows = sum(counts.get(table, 0) for table in question.tables)
    if rows > _CHEAP_ROWS and not is_data_alone(context):
        return ValueQuestion(), ""
    return question, ""


def _compared(context: StepContext, values: Values) -> KeptValues:
    said = []
    if values.moved:
        said.append(f"Since the rehearsal, values moved in {values.words(values.moved)}.")
    if values.unsure:
        said.append(f"Too long to compare by a query: rows of {', '.join(values.unsure)}.")
    return KeptValues(" ".join(said), values.moved, _put_back(context, values))


def _put_back(context: StepContext, values: Values) -> tuple[str, ...]:
    """The tables that hold exactly what they held before, of a change of data alone."""
    environment, copy = context.environment, copy_folder(context.environment)
    if not is_data_alone(context) or not environment.local.file(copy).is_file():
        return ()
    before = local_of(environment, copy, values.moved)
    return tuple(t for t in values.moved if t in before and values.found[t] == before[t])

"""On the free plan: what a walk will read is estimated first, asked about, or stopped."""

from collections.abc import Sequence

from d1_preflight.actions.context import StepContext
from d1_preflight.actions.target import observe, read_batch
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.project.setting_types import Plan
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.schema.schema import tables_of
from d1_preflight.core.target.reading_cost import WalkCost, size_statements, walk_cost

_FREE_ROWS = "free_rows"
_COUNTED = "Each table's ids are counted from the first to the last, gaps too."
_TOO_MUCH = (
    f"{_COUNTED} Not started: once the day's rows are used up, production's queries fail until "
    'midnight UTC. On a paid plan, set [account] plan = "paid" in preflight.toml. Otherwise '
    "apply it with wrangler alone, or delete old rows first."
)


def cost_prompts(context: StepContext) -> Sequence[Prompt]:
    """Whether to read that much, once an estimate of it was made."""
    cost = context.environment.cache.walk_cost
    if not _is_free(context) or cost is None or not cost.asks_first or cost.is_too_much:
        return ()
    label = "Read that much of the free plan's day?"
    help_ = f"This walk reads {cost.words}. {_COUNTED}"
    return (Prompt("free_rows", PromptKind.CONFIRM, label, help=help_),)


async def stopped_by_plan(context: StepContext) -> Outcome | None:
    """Why nothing is read yet; None where the plan allows it, or the operator does."""
    if not _is_free(context):
        return None
    cost = await _estimate(context)
    context.environment.cache.walk_cost = cost
    if cost.is_too_much:
        return Outcome(Status.FAILED, f"This walk would read {cost.words}. {_TOO_MUCH}")
    if cost.asks_first and context.answers.get(_FREE_ROWS) is not True:
        words = f"This walk would read {cost.words}. Nothing was read yet: confirm that first."
        return Outcome(Status.FAILED, words)
    return None


def _is_free(context: StepContext) -> bool:
    return context.environment.settings.account.plan is Plan.FREE


async def _estimate(context: StepContext) -> WalkCost:
    environment = context.environment
    look = await observe(environment, emit=context.emit)
    tables = tables_of(look.observation.schema)
    results, _ = await read_batch(environment, size_statements(tables), emit=context.emit)
    sizes = [size for result in results if isinstance(size := result.meta.get("size_after"), int)]
    rows = [result.rows[0] for result in results]
    return walk_cost(tables, rows, max(sizes, default=None))

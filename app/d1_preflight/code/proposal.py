"""What to do for an order: the steps, and for a split its expand half and its contract half."""

from collections.abc import Sequence

from d1_preflight.code.verdict import BrokenQuery, Verdict
from d1_preflight.core.checklist.answers import Order
from d1_preflight.core.format import first, plural

_SHOWN = 8


def proposal(verdict: Verdict) -> tuple[str, ...]:
    """The steps in order, each a sentence."""
    old, new = verdict.deployed.harmed, verdict.new.harmed
    match verdict.order:
        case Order.ANY:
            return ("Deploy and migrate in any order; roll back in any order.",)
        case Order.DATABASE_FIRST:
            return (
                "Apply the migration: the deployed code runs on the new schema.",
                f"Then deploy the new code: {_queries(new)} it.",
                "To roll back: the code first, then the database.",
            )
        case Order.CODE_FIRST:
            return (
                f"Deploy the new code first: {_would_break(old)} on the new schema.",
                "Then apply the migration, once no old version is running.",
                "To roll back: the database first, then the code.",
            )
        case Order.SPLIT:
            return tuple(_split(verdict))


def _split(verdict: Verdict) -> Sequence[str]:
    at_home = verdict.new.harmed_at_home
    steps: list[str] = []
    if at_home:
        steps.append(f"The new code breaks on the new schema too. Change {_places(at_home)}.")
        if not verdict.new.harmed:
            steps += ["Deploy that code first, then apply the migration."]
            return steps
    added = ", ".join(verdict.added[:_SHOWN]) or "what the new code needs"
    removed = ", ".join(verdict.removed[:_SHOWN])
    steps.append(f"Expand, a migration for now: add {added}, and fill it from the old rows.")
    keeping = f", and keep {removed}" if removed else ""
    steps.append(f"Leave everything that the deployed code uses unchanged{keeping}.")
    harmed = verdict.deployed.harmed
    if harmed:
        steps.append(f"Deploy code that writes both and reads the new. Change {_places(harmed)}.")
    dropped = f"drop {removed}" if removed else "change the rest"
    steps.append(f"Contract, a second migration: {dropped}, once no old version is running.")
    return steps


def _would_break(found: Sequence[BrokenQuery]) -> str:
    return f"{plural(len(found), 'query', 'queries')} of the deployed code would break"


def _queries(found: Sequence[BrokenQuery]) -> str:
    number = len(found)
    return f"{plural(number, 'query', 'queries')} {'needs' if number == 1 else 'need'}"


def _places(found: Sequence[BrokenQuery]) -> str:
    places = list(dict.fromkeys(f"{query.path}:{query.line}" for query in found))
    return first(places, _SHOWN)

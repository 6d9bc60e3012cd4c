"""Section 1: the migration's name and header, in the file or in the record."""

from collections.abc import Sequence

from d1_preflight.actions.context import StepContext
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.findings import Kind
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.project.naming import HOUSE, Naming
from d1_preflight.core.project.template import effect_words
from d1_preflight.core.record.change_facts import HeaderFacts, NameFacts
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.lazy_dataclass import replace

_BRING_BACK = "Bring the file back, or remove it from the journal: drizzle-kit check."


async def check_name(context: StepContext) -> Outcome:
    """The file's name is of the folder's convention and says what it does."""
    name = context.environment.name
    files = context.environment.files.files()
    naming = next(
        (f.naming for f in files if isinstance(f, Migration) and f.name == name), Naming()
    )
    convention = naming.convention(file.name for file in files)
    facts = NameFacts(name=name)
    if gone := naming.gone_from(file.name for file in files):
        return Outcome(Status.FAILED, f"{gone} {_BRING_BACK}", facts)
    if naming.keeps(name):
        words = (
            f"{name}: {naming.tool} named it and keeps its own list of names, so the name stays."
        )
        return Outcome(Status.PROVED, words, facts)
    if convention == HOUSE and convention.fits(name):
        return Outcome(Status.PROVED, f"{name}: four digits and a description.", facts)
    if convention.fits(name):
        return Outcome(Status.PROVED, f"{name}: as this folder's files are named.", facts)
    return Outcome(
        Status.FAILED,
        f"{name} is not {convention.shown}. Rename it before it is applied: afterwards "
        "a renamed file would be applied a second time.",
        facts,
    )


async def check_header(context: StepContext) -> Outcome:
    """The header is complete, and its declared type is the one that was found."""
    return _judged_header(context)


def header_judged_again(context: StepContext) -> Outcome | None:
    """The header on the target's schema, where the files alone left its type uncertain."""
    last = context.record.last(HeaderFacts.step)
    if last is None or last.status is not Status.UNKNOWN:
        return None
    again = _judged_header(replace(context, answers=last.answers))
    return again if again.status is Status.PROVED else None


def _judged_header(context: StepContext) -> Outcome:
    if _stands_in_record(context):
        return _header_of_record(context)
    header = context.environment.migration().header
    found = context.environment.analysis().kind
    declared = header.type.split("(")[0].split()
    word = declared[0].lower().strip(".,;:") if declared else ""
    facts = HeaderFacts(declared=word, found=found.value, missing=header.missing)
    if header.missing:
        names = ", ".join(name.capitalize() for name in header.missing)
        words = f"The header lacks: {names}. Edit the file, or: preflight header NAME"
        return Outcome(Status.FAILED, words, facts)
    if found is Kind.UNKNOWN:
        words = f"The header declares {word}; the effect of the SQL is not certain."
        return Outcome(Status.UNKNOWN, words, facts)
    if word != found.value and found is not Kind.NONE:
        words = f"The header declares “{word}”; the SQL is {found.value}: {why(context)}"
        return Outcome(Status.FAILED, words, facts)
    return Outcome(Status.PROVED, f"Complete; declared {word}, found {found.value}.", facts)


def header_prompts(context: StepContext) -> Sequence[Prompt]:
    """What the migration is for, where its header stands in the record."""
    if not _stands_in_record(context):
        return ()
    words = "The header is kept in the record, because the file must not change."
    return (Prompt("description", PromptKind.TEXT, "What is this migration for?", help=words),)


def _stands_in_record(context: StepContext) -> bool:
    migration = context.environment.migration()
    return bool(migration.header.missing) and not migration.naming.has_header(migration.name)


def _header_of_record(context: StepContext) -> Outcome:
    found = context.environment.analysis()
    effects = effect_words(found.effects)
    facts = HeaderFacts(
        declared=found.kind.value,
        found=found.kind.value,
        description=context.answer("description"),
        effects=effects,
        rollback=found.rollback,
    )
    if found.kind is Kind.UNKNOWN:
        words = "The effect of the SQL is not certain: the header cannot say it."
        return Outcome(Status.UNKNOWN, words, facts)
    words = f"In this record: {found.kind.value}, {found.risk.value} risk"
    return Outcome(Status.PROVED, f"{words}{f'; {effects}' if effects else ''}.", facts)


def why(context: StepContext) -> str:
    """What makes the migration of its class: the first reason, with its line."""
    reasons = context.environment.analysis().reasons
    if not reasons:
        return "it changes nothing." if context.kind is Kind.NONE else "no reason was found."
    more = f" · {len(reasons) - 1} more" if len(reasons) > 1 else ""
    return f"line {reasons[0].line}: {reasons[0].clause}{more}."

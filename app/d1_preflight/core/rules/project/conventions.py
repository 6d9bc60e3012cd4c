"""The source document's rules: name, header, declared type, one logical change."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from d1_preflight.core.effects.logical_changes import LogicalChange, deeds_words, logical_changes
from d1_preflight.core.findings import Kind, Severity
from d1_preflight.core.project.migration import Header, parse_header
from d1_preflight.core.rules.context import Match, Rule, RuleContext, listed, match_file

_MOST = 5
_ORDER = (Kind.NONE, Kind.ADDITIVE, Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE)


def name_pattern(context: RuleContext) -> Iterator[Match]:
    """A name that is not of the folder's convention; a tool's own names are the tool's."""
    name = context.migration.name
    if not context.name_is_kept and not context.convention.fits(name):
        yield match_file(name=name, convention=context.convention.shown)


def header_missing(context: RuleContext) -> Iterator[Match]:
    """A header without the template's fields; one note a folder where no file has a header."""
    missing = context.migration.header.missing
    if not context.migration.naming.has_header(context.migration.name):
        return
    if not missing or "header-missing" in context.noted:
        return
    none = not any(_has_header(file.text) for file in (context.migration, *context.siblings))
    yield match_file(
        severity=Severity.NOTE if none else None,
        fields=", ".join(name.capitalize() for name in missing),
        folder=" No file of this folder has a header; this is reported once." if none else "",
        name=context.migration.stem,
        type=context.verdict.kind.value,
    )


def header_name_differs(context: RuleContext) -> Iterator[Match]:
    """A header that names another migration."""
    named = context.migration.header.migration.removesuffix(".sql")
    if named and named != context.migration.stem:
        yield match_file(declared=named, name=context.migration.stem)


def declared_type_differs(context: RuleContext) -> Iterator[Match]:
    """A header whose type is not what the statements do."""
    declared, found = _declared(context), context.verdict.kind
    if declared is None or found not in _ORDER or declared is found:
        return
    understated = _ORDER.index(declared) < _ORDER.index(found)
    reason = context.verdict.reasons[0] if context.verdict.reasons else None
    yield match_file(
        severity=None if understated else Severity.NOTE,
        declared=declared.value,
        found=found.value,
        reason=reason.text if reason else "",
        line=str(reason.line if reason else 1),
    )


def declared_type_unknown(context: RuleContext) -> Iterator[Match]:
    """A header whose type is none of the three."""
    if context.migration.header.type and _declared(context) is None:
        yield match_file(declared=context.migration.header.type)


def rollback_undocumented(context: RuleContext) -> Iterator[Match]:
    """A change that is not additive and whose header has no rollback."""
    rollback = context.migration.header.rollback.lower()
    serious = context.verdict.kind in (Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE)
    if serious and rollback.startswith(("not required", "none", "n/a")):
        yield match_file(
            found=context.verdict.kind.value, declared=context.migration.header.rollback
        )


def critical_missing(context: RuleContext) -> Iterator[Match]:
    """A destructive change whose header does not say that a backup comes first."""
    header = context.migration.header
    if context.verdict.kind is Kind.DESTRUCTIVE and not header.critical and not header.missing:
        yield match_file()


def several_changes(context: RuleContext) -> Iterator[Match]:
    """More than one logical change in one file: hard to take back."""
    if context.verdict.kind not in (Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE):
        return
    changes = logical_changes(context.script, context.verdict.effects.tables_rebuilt)
    serious = [change for change in changes if change.is_serious]
    if len(changes) < 2 or not serious or _is_one_cleaning(changes):  # noqa: PLR2004
        return
    yield match_file(
        severity=Severity.NOTE if len(serious) == 1 else None,
        count=str(len(changes)),
        deeds=deeds_words(changes),
        changes="; ".join(f"{deeds_words([c])} ({listed(c.tables)})" for c in changes[:_MOST])
        + ("; …" if changes[_MOST:] else ""),
    )


def _is_one_cleaning(changes: Sequence[LogicalChange]) -> bool:
    """Whether nothing is done but to drop whole tables, or but to write values: a sweep."""
    verbs = {trace.verb for change in changes for trace in change.statements}
    return verbs <= {"DROP TABLE", "DROP INDEX", "DROP TRIGGER", "DROP VIEW"} or verbs <= {"UPDATE"}


RULES: tuple[Rule, ...] = (
    name_pattern,
    header_missing,
    header_name_differs,
    declared_type_differs,
    declared_type_unknown,
    rollback_undocumented,
    critical_missing,
    several_changes,
)


@lru_cache(maxsize=4096)
def _has_header(text: str) -> bool:
    return parse_header(text) != Header()


def _declared(context: RuleContext) -> Kind | None:
    words = context.migration.header.type.lower()
    return next((kind for kind in _ORDER[1:] if kind.value in words), None)

"""The source document's rules: name, header, declared type, one logical change."""

from collections.abc import Iterator

from d1_preflight.core.findings import Kind, Severity
from d1_preflight.core.project.migration import NAME_PATTERN
from d1_preflight.core.rules.context import Case, Find, Hit, at_file, listed

_ORDER = (Kind.NONE, Kind.ADDITIVE, Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE)


def name_pattern(case: Case) -> Iterator[Hit]:
    """A name that is not NNNN_descriptive_action.sql."""
    if not NAME_PATTERN.match(case.migration.name):
        yield at_file(name=case.migration.name)


def header_missing(case: Case) -> Iterator[Hit]:
    """A header without the template's fields."""
    missing = case.migration.header.missing
    if missing:
        fields = ", ".join(name.capitalize() for name in missing)
        yield at_file(fields=fields, name=case.migration.stem, type=case.verdict.kind.value)


def header_name_differs(case: Case) -> Iterator[Hit]:
    """A header that names another migration."""
    named = case.migration.header.migration.removesuffix(".sql")
    if named and named != case.migration.stem:
        yield at_file(declared=named, name=case.migration.stem)


def declared_type_differs(case: Case) -> Iterator[Hit]:
    """A header whose type is not what the statements do."""
    declared, found = _declared(case), case.verdict.kind
    if declared is None or found not in _ORDER or declared is found:
        return
    understated = _ORDER.index(declared) < _ORDER.index(found)
    reason = case.verdict.reasons[0] if case.verdict.reasons else None
    yield at_file(
        severity=None if understated else Severity.NOTE,
        declared=declared.value,
        found=found.value,
        reason=reason.text if reason else "",
        line=str(reason.line if reason else 1),
    )


def declared_type_unknown(case: Case) -> Iterator[Hit]:
    """A header whose type is none of the three."""
    if case.migration.header.type and _declared(case) is None:
        yield at_file(declared=case.migration.header.type)


def rollback_undocumented(case: Case) -> Iterator[Hit]:
    """A change that is not additive and whose header says no way back."""
    rollback = case.migration.header.rollback.lower()
    serious = case.verdict.kind in (Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE)
    if serious and rollback.startswith(("not required", "none", "n/a")):
        yield at_file(found=case.verdict.kind.value, declared=case.migration.header.rollback)


def critical_missing(case: Case) -> Iterator[Hit]:
    """A destructive change whose header does not say that a backup comes first."""
    header = case.migration.header
    if case.verdict.kind is Kind.DESTRUCTIVE and not header.critical and not header.missing:
        yield at_file()


def several_changes(case: Case) -> Iterator[Hit]:
    """More than one logical change in one file: hard to take back."""
    effects = case.verdict.effects
    subjects = {name.split(".")[0] for name in effects.columns_added}
    subjects |= {name.split(".")[0] for name in effects.columns_dropped}
    subjects |= {*effects.tables_dropped, *effects.tables_rebuilt, *effects.rows_updated_in}
    serious = case.verdict.kind in (Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE)
    if serious and len(subjects) > 1:
        yield at_file(count=str(len(subjects)), tables=listed(sorted(subjects)))


RULES: tuple[Find, ...] = (
    name_pattern,
    header_missing,
    header_name_differs,
    declared_type_differs,
    declared_type_unknown,
    rollback_undocumented,
    critical_missing,
    several_changes,
)


def _declared(case: Case) -> Kind | None:
    words = case.migration.header.type.lower()
    return next((kind for kind in _ORDER[1:] if kind.value in words), None)

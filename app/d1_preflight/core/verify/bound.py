"""What a close binds: every file of the record's folder, by its sha256."""

from collections.abc import Iterator, Mapping

from d1_preflight.core.record.record import Record
from d1_preflight.core.verify.timeline import POSTMORTEM, TIMELINE

_OWN = frozenset({"record.toml", "record.toml.sig", POSTMORTEM})


def bound_files(
    record: Record, sums: Mapping[str, str], *, timeline_is_bound: bool
) -> tuple[str, ...]:
    """The files that a record names at its close, each as `sha256sum` writes it.

    Evidence is named by its attempt, and a timeline that is bound line by line goes on growing.
    """
    named = {*_OWN, *evidence_names(record), *((TIMELINE,) if timeline_is_bound else ())}
    return tuple(f"{sums[name]}  {name}" for name in sorted(sums) if name not in named)


def evidence_names(record: Record) -> Iterator[str]:
    """The files that the record's attempts name."""
    for attempt in record.attempts:
        for evidence in attempt.evidence:
            yield from evidence.files

"""The input and the findings of a record's checks."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from d1_preflight.core.checklist.checklist import Checklist
from d1_preflight.core.findings import Kind
from d1_preflight.core.record.record import Record, kind_of
from d1_preflight.core.record.signing import Verifier


class Weight(StrEnum):
    """Whether something is not done yet, or wrong."""

    OPEN = "open"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with which file, and what to do."""

    file: str
    words: str
    hint: str = ""
    weight: Weight = Weight.INVALID


@dataclass(frozen=True, slots=True)
class Bundle:
    """A record with all its files, and what it is verified against."""

    files: Mapping[str, bytes]
    record: Record
    checklist: Checklist
    verifier: Verifier | None
    second_person: frozenset[Kind] = frozenset()

    @property
    def kind(self) -> Kind:
        """The class whose path the record must have walked; unknown walks every step."""
        return kind_of(self.record, self.checklist, Kind.UNKNOWN)

    @property
    def knows_checklist(self) -> bool:
        """Whether the record was made with the checklist it is verified against."""
        return self.record.checklist == self.checklist.sha256

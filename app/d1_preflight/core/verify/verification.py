"""What was found of a record: the problems, the facts, and what its chain has to judge."""

from collections.abc import Iterator, Mapping

from d1_preflight.core.verify.chain import ClosedRecord
from d1_preflight.core.verify.links import Chain
from d1_preflight.core.verify.problem import Problem, Weight
from d1_preflight.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class InChain:
    """A record as its chain judges it: its close, and each review's name and the heads it saw."""

    closed: ClosedRecord | None
    reviews: tuple[tuple[str, tuple[str, ...]], ...]

    def problems(self, chain: Chain) -> Iterator[Problem]:
        """What the chain says against it."""
        if self.closed is not None:
            yield from chain.problems(self.closed)
        for name, heads in self.reviews:
            yield from chain.review_problems(name, heads)


@dataclass(frozen=True, slots=True)
class Verification:
    """The problems found (none: the record is good), and what is known, for people.

    `trust` says from where signers, policy and checklist are: a verdict is worth no more.
    `in_chain` is what its database's chain judges, which other records can change.
    """

    problems: tuple[Problem, ...]
    facts: Mapping[str, str]
    trust: str = ""
    in_chain: InChain | None = None

    @property
    def exit_code(self) -> int:
        """0 good; 1 open steps or unsigned; 4 invalid, or a bad signature."""
        if any(problem.weight is Weight.INVALID for problem in self.problems):
            return 4
        return 1 if self.problems else 0

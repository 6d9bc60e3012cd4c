"""What a rule looks at: the migration, its run, its verdict, and its neighbours."""

from dataclasses import dataclass

from d1_preflight.core.classify import Verdict
from d1_preflight.core.migration import Migration
from d1_preflight.core.oracle import Act, Run


@dataclass(frozen=True, slots=True)
class Case:
    """One migration under judgement."""

    migration: Migration
    siblings: tuple[Migration, ...]
    run: Run
    verdict: Verdict
    problems: tuple[str, ...] = ()  # objects of the prior schema that could not be made

    @property
    def text(self) -> str:
        """The file's text."""
        return self.migration.text

    @property
    def acts(self) -> tuple[Act, ...]:
        """All statements, refused ones too."""
        return self.run.acts

"""A project without source of a Worker, for sessions whose code nobody judges."""

from collections.abc import Mapping, Sequence

from d1_preflight.core.record.safety_facts import DeployOrderFacts, RevisionProposal
from d1_preflight.core.schema.schema import Schema


class NoSource:
    """Nothing is proposed, and nothing proved."""

    def proposals(self, notes: Mapping[str, str]) -> Sequence[RevisionProposal]:
        """None."""
        del notes
        return ()

    def proof(
        self, deployed: str, before: Schema, after: Schema, scripts: Mapping[str, str]
    ) -> DeployOrderFacts:
        """Nothing is known."""
        del deployed, before, after, scripts
        return DeployOrderFacts()

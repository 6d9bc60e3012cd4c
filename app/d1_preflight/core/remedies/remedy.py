"""What a remedy reads and what it answers: a rewrite of the file, or why there is none."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import lru_cache

from d1_preflight.core.effects.classify import classify
from d1_preflight.core.engine.sandbox import Sandbox
from d1_preflight.core.engine.trace import StatementTrace
from d1_preflight.core.findings import Finding
from d1_preflight.core.project.migration import Migration, ledger_key
from d1_preflight.core.project.naming import Naming
from d1_preflight.core.remedies.edits import Edit
from d1_preflight.core.rules import findings_of
from d1_preflight.core.rules.context import RuleContext
from d1_preflight.core.schema.schema import Schema, Structure


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Edits that answer one finding; `what` says in one line what they do.

    `differs` names what the final schema then has otherwise than the author's: an object's kind
    and name, in lower case. `values` are the columns, as `table.column`, that get other values.
    Whatever else differs speaks against the rewrite. With `repairs` the author's file could not be
    read at all: what it means is what this text means, and is compared from here on.
    """

    edits: tuple[Edit, ...]
    what: str
    differs: tuple[tuple[str, str], ...] = ()
    values: frozenset[str] = frozenset()
    repairs: bool = False


@dataclass(frozen=True, slots=True)
class NoRemedy:
    """Why a finding has no rewrite, in a sentence."""

    reason: str


NOT_FOUND = NoRemedy("The statement was not found.")


@dataclass(frozen=True, slots=True)
class Reading:
    """One migration on the schema before it: the trace, the findings, and the text."""

    context: RuleContext
    prior: Schema
    findings: tuple[Finding, ...] = field(default=(), compare=False)
    asked: frozenset[str] = frozenset()  # rules that a person named: what they find is no purpose

    @classmethod
    def of(
        cls, migration: Migration, prior: Schema, siblings: Sequence[Migration] = ()
    ) -> "Reading":
        """Run the migration on the empty schema, and ask every rule."""
        return _read(migration, prior, tuple(siblings), migration.naming)

    @property
    def text(self) -> str:
        """The file's text."""
        return self.context.text

    def with_text(self, text: str) -> "Reading":
        """The reading of another text under the same name."""
        named = self.context.migration
        made = Migration.from_text(named.name, text, named.path)
        migration = replace(made, naming=named.naming)
        siblings = (migration if s.name == named.name else s for s in self.context.siblings)
        return replace(Reading.of(migration, self.prior, tuple(siblings)), asked=self.asked)

    def earlier_files(self) -> tuple[str, ...]:
        """The texts of the files before this one, in the ledger's order."""
        key = ledger_key(self.context.migration.name)
        found = [s for s in self.context.siblings if ledger_key(s.name) < key]
        return tuple(s.text for s in sorted(found, key=lambda s: ledger_key(s.name)))

    def structure_at(self, offset: int) -> Structure:
        """The structure that the statements before a place leave."""
        with closing(Sandbox(self.prior)) as sandbox:
            return sandbox.run(self.text[:offset]).new

    def refused_again(self, table: str) -> str:
        """Why D1 refuses what gives a dropped table its name again; "" where nothing is to."""
        for trace in self.context.statements:
            renamed = trace.verb == "ALTER TABLE RENAME" and trace.parsed.new_name
            made = trace.verb == "CREATE TABLE" and trace.target
            if trace.error and (renamed or made or "").lower() == table.lower():
                why = f'D1 refuses the statement that recreates "{table}": {trace.error}.'
                return f"{why} Correct it, then run fix again."
        return ""

    def trace_of(self, finding: Finding) -> StatementTrace | None:
        """The statement that a finding is about, None where it is about the file."""
        place = (finding.line, finding.column)
        found = [t for t in self.context.statements if (t.line, t.statement.column) <= place]
        return found[-1] if found else None


@lru_cache(maxsize=64)
def _read(
    migration: Migration,
    prior: Schema,
    siblings: tuple[Migration, ...],
    _naming: Naming,  # which migrations do not compare, and rules read
) -> Reading:
    with closing(Sandbox(prior)) as sandbox:
        script = sandbox.run(migration.text, name=migration.name)
        done = tuple(trace for trace in script.statements if not trace.error)
        verdict, problems = classify(script), sandbox.problems
    context = RuleContext(migration, siblings, script, verdict, problems, done)
    return Reading(context, prior, findings_of(context))


Remedy = Callable[[Reading, Finding], Rewrite | NoRemedy]
"""Writes the answer to one finding of a reading."""

"""What a rule looks at (a case) and what it hands back (hits)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from d1_preflight.core.effects.classify import Verdict
from d1_preflight.core.effects.row_lineage import Fate
from d1_preflight.core.engine.trace import Act, Run
from d1_preflight.core.findings import Severity
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.schema.schema import Structure
from d1_preflight.core.sql.tokenizer import Token


@dataclass(frozen=True, slots=True)
class Hit:
    """One place that a rule found; `values` fill the rule's words with the user's names."""

    line: int
    column: int
    end_line: int
    end_column: int
    values: Mapping[str, str] = field(default_factory=dict)
    tables: tuple[str, ...] = ()
    severity: Severity | None = None  # where the place weighs less or more than the rule


@dataclass(frozen=True, slots=True)
class Case:
    """One migration under judgement."""

    migration: Migration
    siblings: tuple[Migration, ...]
    run: Run
    verdict: Verdict
    problems: tuple[str, ...]  # objects of the prior schema that could not be made
    done: tuple[Act, ...]  # the statements that D1 accepts
    known: tuple[str, ...] = ()  # the files that were there before this one was written

    @property
    def text(self) -> str:
        """The file's text."""
        return self.migration.text

    @property
    def acts(self) -> tuple[Act, ...]:
        """All statements, refused ones too."""
        return self.run.acts

    @property
    def old(self) -> Structure:
        """The structure before."""
        return self.run.old

    @property
    def new(self) -> Structure:
        """The structure after."""
        return self.run.new

    @property
    def rebuilt(self) -> tuple[Fate, ...]:
        """The tables that were dropped and made again under their name."""
        return tuple(fate for fate in self.verdict.fates if fate.rebuilt and fate.name)

    def acts_of(self, *verbs: str) -> Iterator[Act]:
        """The accepted statements with one of these verbs."""
        return (act for act in self.done if act.verb in verbs)


Find = Callable[[Case], Iterable[Hit]]
"""A rule: looks at a case and yields the places it found. Its name is the rule's id."""


def at(
    act: Act,
    token: Token | None = None,
    *,
    tables: tuple[str, ...] = (),
    severity: Severity | None = None,
    values: Mapping[str, str] | None = None,
    **named: str,
) -> Hit:
    """A hit at a statement, or at one of its tokens."""
    statement = act.statement
    start = statement.lead + (token.start if token else 0)
    end = start + len(token.text) if token else len(statement.text.rstrip())
    line, column = statement.place(start)
    end_line, end_column = statement.place(end)
    return Hit(line, column, end_line, end_column, {**(values or {}), **named}, tables, severity)


def at_file(*, severity: Severity | None = None, **values: str) -> Hit:
    """A hit on the file as a whole."""
    return Hit(1, 1, 1, 1, values, (), severity)


def at_offset(text: str, offset: int, length: int = 1, **values: str) -> Hit:
    """A hit at a place of the file's text."""
    line = text.count("\n", 0, offset) + 1
    column = offset - text.rfind("\n", 0, offset)
    return Hit(line, column, line, column + length, values)


def word_token(act: Act, *words: str) -> Token | None:
    """The first token that is one of these words."""
    return next((token for token in act.phrase.tokens if token.word in words), None)


def target_token(act: Act) -> Token | None:
    """The token that names the statement's target."""
    wanted = act.target.lower()
    return next((t for t in act.phrase.tokens[1:] if t.name.lower() == wanted), None)


def listed(names: Iterable[str]) -> str:
    """Names for people: "a", "b" and "c"."""
    quoted = [f'"{name}"' for name in dict.fromkeys(names)]
    return " and ".join(filter(None, [", ".join(quoted[:-1]), *quoted[-1:]]))

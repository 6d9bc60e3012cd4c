"""What a rule reads (a context) and what it yields (matches)."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from d1_preflight.core.effects.classify import Verdict
from d1_preflight.core.effects.row_lineage import TableLineage
from d1_preflight.core.engine.trace import ScriptTrace, StatementTrace, missing_name
from d1_preflight.core.findings import Severity
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.project.naming import Convention
from d1_preflight.core.schema.schema import Structure
from d1_preflight.core.sql.tokenizer import Token
from d1_preflight.lazy_dataclass import dataclass, field

_COMPARED = 100  # among how many tables a name that is nearly right is looked for


@dataclass(frozen=True, slots=True)
class Match:
    """One place that a rule found; `values` fill the rule's words with the user's names."""

    line: int
    column: int
    end_line: int
    end_column: int
    values: Mapping[str, str] = field(default_factory=dict)
    tables: tuple[str, ...] = ()
    severity: Severity | None = None  # where the place weighs less or more than the rule
    columns: tuple[tuple[str, str], ...] = ()  # where columns, not rows, are lost
    instead: tuple[str, ...] = ()  # where the place needs other next steps than the rule's


@dataclass(frozen=True, slots=True)
class RuleContext:
    """One migration, with everything that is known of it."""

    migration: Migration
    siblings: tuple[Migration, ...]
    script: ScriptTrace
    verdict: Verdict
    problems: tuple[str, ...]  # objects of the prior schema that could not be made
    done: tuple[StatementTrace, ...]  # the statements that D1 accepts
    known: tuple[str, ...] = ()  # the files that were there before this one was written
    noted: frozenset[str] = frozenset()  # rules about the folder, found in an earlier file

    @property
    def text(self) -> str:
        """The file's text."""
        return self.migration.text

    @property
    def convention(self) -> Convention:
        """How the files of this folder are named."""
        files = {self.migration.name, *(sibling.name for sibling in self.siblings)}
        return self.migration.naming.convention(files)

    @property
    def name_is_kept(self) -> bool:
        """Whether a tool's books hold this file's name, so that nothing may rename it."""
        return self.migration.naming.keeps(self.migration.name)

    @property
    def statements(self) -> tuple[StatementTrace, ...]:
        """All statements, refused ones too."""
        return self.script.statements

    @property
    def old(self) -> Structure:
        """The structure before."""
        return self.script.old

    @property
    def new(self) -> Structure:
        """The structure after."""
        return self.script.new

    @property
    def rebuilt(self) -> tuple[TableLineage, ...]:
        """The tables that were dropped and made again under their name."""
        return tuple(
            lineage for lineage in self.verdict.lineages if lineage.rebuilt and lineage.name
        )

    def outside(self, error: str) -> str:
        """The table that an error misses and that may be made outside of the files, else "".

        A name that is nearly one of the schema's is rather a slip of the pen.
        """
        name = missing_name(error)
        if not name or not self.script.is_unknown(name):
            return ""
        few = len(self.new.tables) <= _COMPARED
        is_slip = few and any(_is_slip(name, table) for table in self.new.tables)
        return "" if is_slip else name

    def statements_of(self, *verbs: str) -> Iterator[StatementTrace]:
        """The accepted statements with one of these verbs."""
        return (trace for trace in self.done if trace.verb in verbs)

    def earlier_names(self, name: str) -> frozenset[str]:
        """The names, in lower case, from which the file renames a table to this one."""
        renames = self.statements_of("ALTER TABLE RENAME")
        named = (t for t in renames if t.parsed.new_name.lower() == name.lower())
        return frozenset(trace.target.lower() for trace in named)


Rule = Callable[[RuleContext], Iterable[Match]]
"""A rule: reads a context and yields the places it found. Its name is the rule's id."""


def match_at(
    trace: StatementTrace,
    token: Token | None = None,
    *,
    tables: tuple[str, ...] = (),
    severity: Severity | None = None,
    values: Mapping[str, str] | None = None,
    **named: str,
) -> Match:
    """A match at a statement, or at one of its tokens."""
    statement = trace.statement
    start = statement.lead + (token.start if token else 0)
    end = start + len(token.text) if token else len(statement.text.rstrip())
    line, column = statement.place(start)
    end_line, end_column = statement.place(end)
    return Match(line, column, end_line, end_column, {**(values or {}), **named}, tables, severity)


def match_target(
    trace: StatementTrace,
    *,
    tables: tuple[str, ...] = (),
    severity: Severity | None = None,
    values: Mapping[str, str] | None = None,
    **named: str,
) -> Match:
    """A match at the name of the statement's target."""
    token = target_token(trace)
    return match_at(trace, token, tables=tables, severity=severity, values=values, **named)


def match_file(
    *, severity: Severity | None = None, instead: tuple[str, ...] = (), **values: str
) -> Match:
    """A match on the file as a whole."""
    return Match(1, 1, 1, 1, values, (), severity, instead=instead)


def match_offset(text: str, offset: int, length: int = 1, **values: str) -> Match:
    """A match at a place of the file's text."""
    line = text.count("\n", 0, offset) + 1
    column = offset - text.rfind("\n", 0, offset)
    return Match(line, column, line, column + length, values)


def no_file_makes(name: str) -> str:
    """The sentence about a table that may be made outside of the files; "" for none."""
    words = f' No file creates "{name}": name the baseline if it is created elsewhere.'
    return words if name else ""


def _is_slip(name: str, meant: str) -> bool:
    """Whether two names differ by one letter, or by two that changed places."""
    if abs(len(name) - len(meant)) > 1:
        return False
    start = next((n for n, (a, b) in enumerate(zip(name, meant, strict=False)) if a != b), None)
    if start is None:
        return len(name) != len(meant)
    one, other = name[start:], meant[start:]
    swapped = one[1:2] + one[:1] + one[2:]
    return one[1:] == other[1:] or one[1:] == other or one == other[1:] or swapped == other


def word_token(trace: StatementTrace, *words: str) -> Token | None:
    """The first token that is one of these words."""
    return next((token for token in trace.parsed.tokens if token.word in words), None)


def target_token(trace: StatementTrace) -> Token | None:
    """The token that names the statement's target."""
    wanted = trace.target.lower()
    return next((t for t in trace.parsed.tokens[1:] if t.name.lower() == wanted), None)


def listed(names: Iterable[str]) -> str:
    """Names for people: "a", "b" and "c"."""
    quoted = [f'"{name}"' for name in dict.fromkeys(names)]
    return " and ".join(filter(None, [", ".join(quoted[:-1]), *quoted[-1:]]))

"""The findings, class and engine verdict of one migration."""

from enum import StrEnum

from d1_preflight.lazy_dataclass import dataclass, field


class Severity(StrEnum):
    """How much a finding weighs: blocking keeps the gate shut until it is gone or waived."""

    BLOCKING = "blocking"
    WARNING = "warning"
    NOTE = "note"


class Kind(StrEnum):
    """The class of a migration, by effect; `unknown` is never treated as harmless."""

    NONE = "none"  # no effect at all: empty, only comments
    ADDITIVE = "additive"
    TRANSFORMATIVE = "transformative"
    DESTRUCTIVE = "destructive"
    UNKNOWN = "unknown"


class Risk(StrEnum):
    """The source document's risk levels."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found at one place; `line` and `column` count from 1.

    `rows_at_risk` marks findings that an inline allow can never silence. `refusal` marks those that
    say that D1 or wrangler refuses the file: no justification answers them.
    `allowed` is the reason given by `-- preflight: allow <rule> — reason`, "" where none.
    `losses` are the tables (with "") and columns that lose values; `declared` is the reason given
    by `-- preflight: loses <table> — reason` where every one of them is declared.
    """

    rule: str
    severity: Severity
    line: int
    column: int
    title: str
    message: str
    instead: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    end_line: int = 0
    end_column: int = 0
    rows_at_risk: bool = False
    allowed: str = ""
    refusal: bool = False
    losses: tuple[tuple[str, str], ...] = ()
    declared: str = ""

    @property
    def blocks(self) -> bool:
        """Whether this finding keeps the gate shut."""
        return self.severity is Severity.BLOCKING and not self.allowed and not self.declared


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a migration has its class: words, and the line of the statement that decided it."""

    text: str
    line: int

    @property
    def clause(self) -> str:
        """The words as they follow a colon: no capital, no full stop."""
        lead = self.text[:1].lower() if self.text[1:2].islower() else self.text[:1]
        return f"{lead}{self.text[1:]}".removesuffix(".")


@dataclass(frozen=True, slots=True)
class Effects:
    """What SQLite itself says the migration does, tables by their names *before* it.

    `rows_deleted_in` names every surviving table in which rows can be deleted;
    `references_nulled_in` and `columns_dropped` hold `table.column`.
    `tables_touched` are the tables that existed before and whose rows or shape can change,
    `tables_read` the others whose rows decide what is written.
    """

    rows_deleted_in: tuple[str, ...] = ()
    references_nulled_in: tuple[str, ...] = ()
    rows_updated_in: tuple[str, ...] = ()
    rows_inserted_in: tuple[str, ...] = ()
    tables_created: tuple[str, ...] = ()
    tables_dropped: tuple[str, ...] = ()
    tables_rebuilt: tuple[str, ...] = ()
    columns_added: tuple[str, ...] = ()
    columns_dropped: tuple[str, ...] = ()
    columns_renamed: tuple[str, ...] = ()
    tables_touched: tuple[str, ...] = ()
    tables_read: tuple[str, ...] = ()
    objects_dropped: tuple[str, ...] = ()  # indexes, triggers and views that a DROP names
    sequences_written: bool = False  # AUTOINCREMENT marks, by a statement that names their table


@dataclass(frozen=True, slots=True)
class Refusal:
    """One place that D1's engine does not accept, or may not accept, and why.

    `outside` where it only lacks an object that no file makes: the target may have it.
    """

    line: int
    reason: str
    outside: bool = False


@dataclass(frozen=True, slots=True)
class EngineVerdict:
    """What D1's engine answered to a whole file, with wrangler's ledger row at its end.

    `undecided` are the places whose answer depends on rows or on a schema that is not at hand.
    """

    refused: tuple[Refusal, ...] = ()
    undecided: tuple[Refusal, ...] = ()


NOT_ASKED = EngineVerdict(undecided=(Refusal(1, "The engine was not asked."),))
"""The verdict before the engine was asked: unknown is never a pass."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """The whole judgement of one migration."""

    kind: Kind
    risk: Risk
    rollback: str  # low, medium, irreversible: the source document's "rollback complexity"
    reasons: tuple[Reason, ...] = ()
    effects: Effects = field(default_factory=Effects)
    findings: tuple[Finding, ...] = ()
    engine: EngineVerdict = NOT_ASKED

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """The findings that keep the gate shut."""
        return tuple(f for f in self.findings if f.blocks)

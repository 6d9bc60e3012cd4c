"""What D1's engine refuses: one rule for each kind of refusal, the most telling first.

A refused statement gets exactly one of these findings; `statement_refused` takes what no other
rule explains, so that no refusal goes without a word.
"""

import re
from collections.abc import Iterator

from d1_preflight.core.engine.trace import StatementTrace
from d1_preflight.core.rules.context import Match, Rule, RuleContext, listed, match_at
from d1_preflight.core.rules.project.files import ends_open
from d1_preflight.core.sql.tokenizer import Token
from d1_preflight.lazy_dataclass import dataclass

_IGNORE_CASE = re.IGNORECASE | re.DOTALL


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A rule's id, and how its refusals are known: by the error, the text, or both.

    The patterns are compiled for the first refused statement: most files have none.
    """

    rule: str
    error: str = ""
    body: str = ""
    is_open: bool = False  # only where the last quote of the file is never closed

    def explains(self, trace: StatementTrace) -> bool:
        if self.is_open and (trace.statement.complete or not ends_open(trace.statement.text)):
            return False
        return bool(
            re.search(self.error, trace.error, _IGNORE_CASE)
            and re.search(self.body, trace.statement.body[:4000], _IGNORE_CASE)
        )


_ALTER = r"^ALTER\s+TABLE\s+\S+\s+"
_FOREIGN = (
    r"^(TRUNCATE|GRANT|REVOKE|SET|SHOW|USE|DO|COMMENT|LOCK|DELIMITER|COPY|CALL|EXEC)\b"
    r"|^CREATE\s+(OR\s+REPLACE|SCHEMA|DATABASE|TYPE|EXTENSION|FUNCTION|SEQUENCE|MATERIALIZED)\b"
    r"|^DROP\s+.*\b(CASCADE|RESTRICT)\s*;?\s*$|\bON\s+DUPLICATE\s+KEY\b|\bENGINE\s*=|::\w+"
    r"|\bUSING\s+(BTREE|GIN|HASH)\b|\bENUM\s*\(|\bAUTO_INCREMENT\b|^INSERT\s+IGNORE\b"
)
_REFUSALS = (
    _Refusal("quote-unclosed", is_open=True),
    _Refusal("dot-command", r"syntax error|unrecognized token", r"^\."),
    _Refusal("transaction-statement", r"one transaction and refuses"),
    _Refusal("breakpoint-without-semicolon", r"syntax error", r"[^;]\s*-->\s*statement-breakpoint"),
    _Refusal("alter-several-actions", r'near ",": syntax error', _ALTER),
    _Refusal("alter-if-exists", r'near "(IF|EXISTS|NOT)": syntax error', _ALTER),
    _Refusal(
        "alter-type-unsupported",
        body=_ALTER + r"(ALTER\s+COLUMN\s+\S+\s+(SET\s+DATA\s+)?TYPE|MODIFY|CHANGE)\b",
    ),
    _Refusal(
        "alter-default-unsupported", body=_ALTER + r"ALTER\s+(COLUMN\s+)?\S+\s+(SET|DROP)\s+DEFAULT"
    ),
    _Refusal(
        "alter-not-null-unsupported", body=_ALTER + r"ALTER\s+(COLUMN\s+)?\S+\s+(SET|DROP)\s+NOT"
    ),
    _Refusal(
        "add-constraint-unsupported",
        body=_ALTER + r"ADD\s+(CONSTRAINT|CHECK|UNIQUE|FOREIGN|PRIMARY)\b",
    ),
    _Refusal("drop-constraint-unsupported", body=_ALTER + r"DROP\s+(CONSTRAINT|CHECK|FOREIGN)\b"),
    _Refusal("add-column-unique", r"cannot add a unique column"),
    _Refusal("add-column-primary-key", r"cannot add a primary key column"),
    _Refusal("drop-column-refused", r"cannot drop|error in|no such column", _ALTER + r"DROP\b"),
    _Refusal("rename-breaks-view", r"error in (view|trigger|index)", _ALTER + r"RENAME\b"),
    _Refusal("pragma-refused", r"D1 does not allow PRAGMA"),
    _Refusal("function-refused", r"not authorized to use function"),
    _Refusal("function-missing", r"no such function|wrong number of arguments"),
    _Refusal("temporary-object", r"temporary"),
    _Refusal("attach-refused", r"attach other databases|cannot (ATTACH|DETACH)|too many attached"),
    _Refusal("vacuum-refused", r"cannot VACUUM", r"^VACUUM"),
    _Refusal("module-missing", r"no such module|has no module"),
    _Refusal("reserved-name", r"keeps .* to itself|reserved for internal use"),
    _Refusal("statement-too-long", r"too long: SQLITE_TOOBIG|string or blob too big"),
    _Refusal("too-many-columns", r"too many columns"),
    _Refusal("too-many-terms", r"too many terms in compound"),
    _Refusal("expression-too-deep", r"expression tree is too large|parser stack overflow"),
    _Refusal("too-many-arguments", r"too many arguments on function"),
    _Refusal("bound-parameter", r"binding|variable number|too many SQL variables"),
    _Refusal("other-dialect", body=_FOREIGN),
    _Refusal("already-exists", r"already exists|already another table|duplicate column name"),
    _Refusal("name-missing", r"no such (table|column|index|view|trigger)|has no column"),
    _Refusal("key-mismatch", r"foreign key mismatch"),
    _Refusal("syntax-error", r"syntax error|incomplete input"),
    _Refusal("statement-refused"),
)


def explanation(trace: StatementTrace) -> str:
    """The id of the rule that explains why a statement is refused."""
    return next(refusal.rule for refusal in _REFUSALS if refusal.explains(trace))


def _rule(refusal: _Refusal) -> Rule:
    name = refusal.rule

    def find(context: RuleContext) -> Iterator[Match]:
        for trace in () if _remade(context) else context.statements:
            if context.script.missing(trace):  # no answer of D1: see baseline_missing
                continue
            if trace.error and refusal.explains(trace) and explanation(trace) == name:
                yield match_at(
                    trace,
                    _near(trace),
                    error=trace.error,
                    table=trace.target or "t",
                    values=_named(trace),
                )

    find.__name__ = name.replace("-", "_")
    return find


def two_lineages(context: RuleContext) -> Iterator[Match]:
    """A file that makes again what earlier files made: said once a file, whatever it is refused."""
    remade = _remade(context)
    if remade:
        names = list(dict.fromkeys(trace.target for trace in remade if trace.target))
        shown = listed(names[:_SHOWN])
        more = len(names) - _SHOWN
        values = {"names": f"{shown} and {more} more" if more > 0 else shown}
        yield match_at(remade[0], _near(remade[0]), error=remade[0].error, values=values)


def _remade(context: RuleContext) -> tuple[StatementTrace, ...]:
    """The refused statements of a file of a second lineage, () for any other file."""
    refused = [t for t in context.statements if t.error and not context.script.missing(t)]
    again = tuple(t for t in refused if t.verb == "CREATE TABLE" and _ALREADY.search(t.error))
    is_known = "two-lineages" in context.noted
    if len(again) > 1 or (is_known and refused):
        return again or tuple(refused)
    return ()


def not_followed(context: RuleContext) -> Iterator[Match]:
    """A statement that runs too long to be followed here, so nothing is known of its end."""
    for trace in context.statements:
        if trace.aborted:
            yield match_at(trace)


def needs_rows(context: RuleContext) -> Iterator[Match]:
    """A statement whose success hangs on rows that only a rehearsal has."""
    for trace in context.statements:
        if trace.data_dependent_error and not trace.aborted:
            yield match_at(trace, error=trace.data_dependent_error)


def prior_incomplete(context: RuleContext) -> Iterator[Match]:
    """Objects of the schema before that could not be made here, so effects on them are unseen."""
    for problem in context.problems:
        yield Match(1, 1, 1, 1, {"problem": problem})


RULES: tuple[Rule, ...] = (
    *(_rule(refusal) for refusal in _REFUSALS),
    two_lineages,
    not_followed,
    needs_rows,
    prior_incomplete,
)
_ALREADY = re.compile(r"already exists|already another table")
_SHOWN = 5
_VERBS = frozenset({"CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE", "SELECT", "PRAGMA"})
"""Words that no statement is refused for beginning with: the next of them is what is meant."""
_NEAR = re.compile(r'near "([^"]+)"|no such \w+: (?:main\.)?"?([^\s"]+)|function: (\w+)')


def _near(trace: StatementTrace) -> Token | None:
    found = _NEAR.search(trace.error)
    wanted = next((part for part in found.groups() if part), "").lower() if found else ""
    at = [t for t in trace.parsed.tokens if wanted and t.name.lower() == wanted]
    is_begun = at[1:] and at[0] is trace.parsed.tokens[0] and trace.verb.split(" ")[0] in _VERBS
    return next(iter(at[1:] if is_begun else at), None)


def _named(trace: StatementTrace) -> dict[str, str]:
    found = _NEAR.search(trace.error)
    name = next((part for part in found.groups() if part), "") if found else ""
    return {"name": name or trace.target, "column": trace.parsed.column or name or "c"}

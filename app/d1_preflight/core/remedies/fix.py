"""Fixes a migration: each finding's remedy in turn, and the whole proved before it is offered."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from d1_preflight.core.errors import NotJudged
from d1_preflight.core.findings import Finding, Severity
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.remedies import added_columns, copies, file_form, forgotten, parking
from d1_preflight.core.remedies.edits import LinesBefore, edited
from d1_preflight.core.remedies.orm.generated_again import generated_again
from d1_preflight.core.remedies.proof import Proof, prove, schema_changes
from d1_preflight.core.remedies.remedy import NoRemedy, Reading, Remedy, Rewrite
from d1_preflight.core.remedies.statements import alter_table, indexes, missing_semicolon, triggers
from d1_preflight.core.remedies.unwritten.reasons import why_not
from d1_preflight.core.schema.schema import Schema

REMEDIES: Mapping[str, Remedy] = {
    "syntax-error": missing_semicolon.between_statements,
    "breakpoint-without-semicolon": missing_semicolon.between_statements,
    "alter-several-actions": alter_table.one_action_each,
    "alter-if-exists": alter_table.without_if_exists,
    "rename-breaks-view": triggers.recreated_after,
    "byte-order-mark": file_form.no_byte_order_mark,
    "begin-transaction-words": file_form.no_transaction_words,
    "transaction-statement": file_form.no_transaction,
    "comment-unclosed": file_form.closed_comment,
    "final-semicolon-missing": file_form.final_semicolon,
    "pragma-refused": file_form.no_statement,
    "quoted-name-is-text": copies.text_in_quotes,
    "copy-by-position": copies.named_columns,
    "replace-cascades": copies.upserted,
    "replace-rows": copies.upserted,
    "add-column-not-null": added_columns.filled_not_null,
    "add-column-moving-default": added_columns.filled_later,
    "add-column-reference-default": added_columns.filled_later,
    "add-column-stored": added_columns.virtual,
    **dict.fromkeys(forgotten.CONSTRAINTS, forgotten.constraint_again),
    "self-reference-rebuild": parking.own_reference,
    "defer-off": parking.deferred_to_the_end,
    "cascade-delete": parking.parked_children,
    "references-nulled": parking.parked_children,
    "references-moved": parking.parked_children,
    "parent-in-use": parking.parked_children,
    "sequence-reset": forgotten.mark_carried,
    "index-forgotten": forgotten.object_again,
    "index-made-too-early": indexes.made_behind,
    "trigger-forgotten": forgotten.object_again,
    "fts-left-empty": indexes.filled_when_made,
    "fts-rowid-renumbered": indexes.filled_at_the_end,
    "table-unwritable": triggers.without_dropped_table,
    "foreign-key-twice": forgotten.foreign_key_once,
    "foreign-keys-off": file_form.no_idle_pragmas,
    "trigger-crlf": file_form.line_feeds,
    "trigger-lower-case-begin": file_form.capital_begin,
    "header-name-differs": file_form.header_name,
    "declared-type-differs": file_form.header_type,
    "declared-type-unknown": file_form.header_type,
    "critical-missing": file_form.header_critical,
    "header-missing": file_form.header_written,
}
"""The remedy of each rule that has one, in the order in which they are tried."""
_PARKED = frozenset({"cascade-delete", "references-nulled", "references-moved", "parent-in-use"})
"""What a remedy after it takes away again; the whole is judged at the end."""
_ORDER = {rule: n for n, rule in enumerate(REMEDIES)}
_FITS_NO_ROW = (
    "D1 refuses the original file on all invented rows, and the rewrite too ({}); the wizard "
    "proves it on a copy of the target"
)
_TOO_LONG = "Looking for a rewrite and proving it takes too long here."
_MOST = 60
_MOST_PARTS = 6
_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one finding: what the rewrite does, or why there is none."""

    finding: Finding
    what: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Fix:
    """A file and its proved rewrite; `after` is `before` where nothing is offered.

    `files` are the further files that it needs, by name; `split` is another way: a file a change.
    """

    before: str
    after: str
    done: tuple[Answer, ...] = ()
    left: tuple[Answer, ...] = ()
    proof: Proof = field(default_factory=Proof)
    tool: str = ""  # that made the file, and would make one like it again
    files: tuple[tuple[str, str], ...] = ()
    split: "Fix | None" = None

    @property
    def reasons(self) -> Mapping[tuple[str, str], tuple[int, ...]]:
        """Each rule that stays with its reason, said once, and the lines of its findings."""
        lines: dict[tuple[str, str], list[int]] = {}
        for answer in self.left:
            lines.setdefault((answer.finding.rule, answer.reason), []).append(answer.finding.line)
        return {said: tuple(sorted(set(at))) for said, at in lines.items()}

    @property
    def notes(self) -> tuple[str, ...]:
        """What the tool that made the file would generate again, and what to change there."""
        rules = {answer.finding.rule for answer in self.done}
        return generated_again(self.tool, rules, self.proof.differences) if self.is_offered else ()

    def refused(self, why: str) -> "Fix":
        """The same file without its rewrite, against which something spoke afterwards."""
        refused = (Answer(answer.finding, reason=_unproved(why)) for answer in self.done)
        left = (*self.left, *refused)
        return replace(self, after=self.before, done=(), left=left, proof=Proof(why))

    @property
    def is_offered(self) -> bool:
        """Whether there is a rewrite."""
        return self.after != self.before


def fix(
    migration: Migration,
    prior: Schema,
    siblings: Sequence[Migration] = (),
    *,
    rules: Collection[str] = (),
    is_late: Callable[[], bool] = lambda: False,
    copies: Sequence[tuple[str, bytes]] = (),
) -> Fix:
    """The rewrite that answers all findings that can be, or those of `rules` alone.

    `copies` are databases with real rows on which it is proved too, and what they are called.
    Raises NotJudged once it `is_late`: where no signal is heard, that alone ends it.
    """
    author = replace(Reading.of(migration, prior, siblings), asked=frozenset(rules))
    attempt = _Attempt(author, rules, is_late=is_late).run()
    if not attempt.done:
        return Fix(author.text, author.text, left=tuple(attempt.left))
    proof = _proof(author, attempt, rules, copies)
    if proof.holds:
        return attempt.fix(proof)
    # Where no invented row is such that the author's own file runs, no part is proved either.
    own = attempt.meant
    is_refused = "refused" in proof.reason and "refused" in prove(own, own).reason
    if is_refused:
        proof = replace(proof, reason=_FITS_NO_ROW.format(proof.reason.partition(": ")[2]))
    parts = () if is_refused else _parts(attempt)
    for answers in islice(parts, _MOST_PARTS):
        part = _Attempt(author, rules, without=answers, is_late=is_late).run()
        tried = _proof(author, part, rules, copies) if part.done else Proof("nothing is left of it")
        if tried.holds:
            refused = [Answer(a.finding, reason=_unproved(proof.reason)) for a in answers.values()]
            return part.fix(tried, refused)
    failed = [Answer(a.finding, reason=_unproved(proof.reason)) for a in attempt.done]
    return Fix(author.text, author.text, left=(*attempt.left, *failed), proof=proof)


def _proof(
    author: Reading,
    attempt: "_Attempt",
    rules: Collection[str],
    copies: Sequence[tuple[str, bytes]],
) -> Proof:
    new = next(_new_blocking(author, attempt.now), None)
    if new:
        return Proof(f"it would add {new.rule}: {new.message}")
    if attempt.now.context.migration.is_blank:
        return Proof("nothing would be left in the file")
    proof = prove(attempt.meant, attempt.now, attempt.values, copies)
    if not proof.holds:
        return proof
    again = _Attempt(attempt.now, rules).run()
    return Proof("a second fix would change it again") if again.done else proof


def _unproved(reason: str) -> str:
    return f"The rewrite is not proved: {reason.removesuffix('.')}."


def _parts(attempt: "_Attempt") -> Iterator[dict[_Key, Answer]]:
    """What to leave out: the parked rows, the answers to one rule, then to all rules but one."""
    rules = list(dict.fromkeys(answer.finding.rule for answer in attempt.done))
    if len(rules) < 2:  # noqa: PLR2004 - one alone has no part
        return
    parked = {_key(a.finding): a for a in attempt.done if a.finding.rule in _PARKED}
    if parked and parked.keys() < {_key(answer.finding) for answer in attempt.done}:
        yield parked
    for rule in reversed(rules):
        yield {_key(a.finding): a for a in attempt.done if a.finding.rule == rule}
    for rule in rules if len(rules) > 2 else ():  # noqa: PLR2004
        yield {_key(a.finding): a for a in attempt.done if a.finding.rule != rule}


class _Attempt:
    """One walk over the findings: each rewrite is read again before the next is written."""

    def __init__(
        self,
        author: Reading,
        rules: Collection[str],
        *,
        without: Collection[_Key] = (),
        is_late: Callable[[], bool] = lambda: False,
    ) -> None:
        self.now = self.meant = author
        self._lines = LinesBefore(author.text)
        self.done: list[Answer] = []
        self.left: list[Answer] = []
        self.values: frozenset[str] = frozenset()
        self._author = author
        self._rules = rules
        self._without = without
        self._is_late = is_late
        self._seen: set[_Key] = set()

    def run(self) -> "_Attempt":
        """Try every finding once."""
        for _ in range(_MOST):
            if self._is_late():
                raise NotJudged(_TOO_LONG, hint="Nothing was written. preflight fix has more time.")
            found = self._next()
            if not found:
                break
            self._lines.now(self.now.text)
            self._seen |= {_key(finding) for finding in found}
            if len(found) == 1 or not self._answer_together(found):
                for finding in found:
                    self._answer(finding)
        return self

    def fix(self, proof: Proof, refused: Sequence[Answer] = ()) -> Fix:
        """What this walk came to; what another rewrite answered too is not left."""
        found = {_key(finding) for finding in self.now.findings}
        left = (*(a for a in self.left if _key(a.finding) in found), *refused)
        context = self._author.context
        tool = context.migration.naming.tool if context.name_is_kept else ""
        return Fix(self._author.text, self.now.text, tuple(self.done), left, proof, tool)

    def _next(self) -> list[Finding]:
        """The next finding; with the others of its rule, where their rewrites are apart."""
        waiting = [f for f in self.now.findings if self._is_wanted(f)]
        first = min(waiting, key=lambda f: _ORDER.get(f.rule, len(_ORDER)), default=None)
        if first is None or first.rule in _PARKED:
            return [first] if first else []
        return [f for f in waiting if f.rule == first.rule]

    def _answer_together(self, findings: Sequence[Finding]) -> bool:
        """Answer all findings of one rule in one rewrite, read once; False where that is not so."""
        remedy = REMEDIES.get(findings[0].rule)
        answers = [remedy(self.now, finding) for finding in findings] if remedy else []
        rewrites = [answer for answer in answers if isinstance(answer, Rewrite)]
        if len(rewrites) < 2:  # noqa: PLR2004 - one is no togetherness
            return False
        edits = tuple(dict.fromkeys(edit for rewrite in rewrites for edit in rewrite.edits))
        try:
            reading = self.now.with_text(edited(self.now.text, edits))
        except ValueError:  # two edits meet
            return False
        differs = tuple(pair for rewrite in rewrites for pair in rewrite.differs)
        pairs = tuple(zip(findings, answers, strict=True))
        done = [f for f, answer in pairs if isinstance(answer, Rewrite)]
        whole = Rewrite(edits, "", differs)
        if any(_against(self.now, reading, finding, whole) for finding in done):
            return False
        self.now = reading
        for finding, answer in pairs:
            if isinstance(answer, Rewrite):
                self.values |= answer.values
                self.done.append(Answer(self._at_home(finding), what=answer.what))
            else:
                self._leave(finding, answer.reason)
        return True

    def _leave(self, finding: Finding, reason: str) -> None:
        self.left.append(Answer(self._at_home(finding), reason=reason))

    def _at_home(self, finding: Finding) -> Finding:
        """The finding as the author's text has it, or with the lines that were there."""
        if self.now is self._author:
            return finding
        same = (f for f in self._author.findings if _key(f) == _key(finding))
        if (own := next(same, None)) is not None:
            return own
        line, end = self._lines.of(finding.line), self._lines.of(finding.end_line)
        return finding if line == finding.line else replace(finding, line=line, end_line=end)

    def _is_wanted(self, finding: Finding) -> bool:
        if self._rules and finding.rule not in self._rules:
            return False
        spoken_for = finding.allowed or finding.declared
        key = _key(finding)
        return not spoken_for and key not in self._seen and key not in self._without

    def _answer(self, finding: Finding) -> None:
        remedy = REMEDIES.get(finding.rule)
        if remedy is None:
            if finding.severity is not Severity.NOTE:
                self._leave(finding, why_not(self.now, finding))
            return
        answer = remedy(self.now, finding)
        if isinstance(answer, NoRemedy):
            self._leave(finding, answer.reason)
            return
        reading = self.now.with_text(edited(self.now.text, answer.edits))
        reason = _against(self.now, reading, finding, answer)
        if reason:
            self._leave(finding, _unproved(reason))
            return
        self.now, self.values = reading, self.values | answer.values
        self.meant = reading if answer.repairs else self.meant
        self.done.append(Answer(self._at_home(finding), what=answer.what))


def _against(before: Reading, after: Reading, finding: Finding, rewrite: Rewrite) -> str:
    """What speaks against a rewrite, before any row is tried; "" where nothing does."""
    olds, news = (Counter(f.rule for f in r.findings) for r in (before, after))
    is_there = _key(finding) in {_key(f) for f in after.findings}
    if is_there and news[finding.rule] >= olds[finding.rule]:
        return "the finding stays"
    new = None if rewrite.repairs else next(_new_blocking(before, after), None)
    if new and new.rule not in _PARKED:
        return f"it would add {new.rule}: {new.message}"
    for change in schema_changes(after if rewrite.repairs else before, after):
        name = "check" if change.object == "check" else change.name.lower()
        if (change.object, name) not in rewrite.differs:
            return f"the final schema would differ: {change.words}"
    return ""


def _new_blocking(before: Reading, after: Reading) -> Iterator[Finding]:
    """The blocking findings of rules that found less before."""
    counts = Counter(f.rule for f in before.findings if f.blocks)
    for finding in (f for f in after.findings if f.blocks):
        counts[finding.rule] -= 1
        if counts[finding.rule] < 0:
            yield finding


def _key(finding: Finding) -> _Key:
    return finding.rule, finding.message

"""What a record says in forty lines: the verdict, the rows, who agreed, what failed, the way back.

It follows from the record and the emergency's timeline alone, and `verify` renders it again: with
other words, order or limits here, the summaries that people signed would no longer compare. What
is to be said otherwise is another form (`form.py`), which new records name.
"""

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from d1_preflight.core.format import count, plural, timestamp
from d1_preflight.core.record.apply_facts import ApplyFacts, CloseFacts, GoFacts
from d1_preflight.core.record.change_facts import AdoptedFacts, ClassFacts, CopyFacts, PurposeFacts
from d1_preflight.core.record.record import Attempt, Record, Status
from d1_preflight.core.record.signing import CLOSE, GO
from d1_preflight.core.summary.changed_rows import ChangedTable, changed_tables, was_counted_after
from d1_preflight.core.summary.form import GROUPED_FORM, SPLIT_FORM, form_of
from d1_preflight.core.summary.losses import (
    accepted_findings,
    declared_losses,
    given_back,
    schema_changes,
)
from d1_preflight.core.summary.rollback import down_file, rollback_path
from d1_preflight.core.summary.text import joined, sentence, step_name
from d1_preflight.core.summary.verdict import closed_attempt, verdict_of
from d1_preflight.core.target.api_place import PRACTICE
from d1_preflight.lazy_dataclass import dataclass

SUMMARY_FILE = "SUMMARY.md"
_ANSWERED = (Status.PROVED, Status.ATTESTED, Status.WAIVED)
GO_COPY = re.compile(r"evidence/\d+-go\.summary\.md")
_NAMED = 4
_TABLES, _EVENTS = {1: 6, 2: 5, 3: 3}, {1: 6, 2: 6, 3: 4}  # by form: forty lines in all


class Event(Protocol):
    """A line of an emergency's timeline."""

    @property
    def at(self) -> datetime:
        """When it was written."""
        ...

    @property
    def words(self) -> str:
        """Who did what."""
        ...


@dataclass(frozen=True, slots=True)
class Summary:
    """What is said of a record; no text of it is escaped for any format yet.

    `form` is that of its words and limits (`form.py`).
    `is_rehearsed`: the rows after are those of the rehearsal. `unlisted` counts the changed tables
    that are not among `tables`.
    """

    title: str
    verdict: str
    facts: tuple[tuple[str, str], ...]
    tables: tuple[ChangedTable, ...]
    unlisted: int
    is_rehearsed: bool
    form: int
    events: tuple[str, ...]
    commands: tuple[str, ...]


def go_copy(number: int) -> str:
    """Where GO's own copy is kept, by the number of its attempt."""
    return f"evidence/{number:03d}-go.summary.md"


def summary_of(record: Record, timeline: Sequence[Event] = (), missing: str = "") -> Summary:
    """The summary of a record as it is; `missing` says what an open one still needs."""
    form = form_of(record)
    tables, unchanged = changed_tables(record, form)
    most, closed = _most(_TABLES, form), closed_attempt(record)
    facts = (
        ("what", _what(record)),
        ("where", _where(record, form)),
        ("who", _who(record, form)),
        ("reviews", _reviews(record) if form > 1 else ""),
        ("when", _when(record)),
        ("in their words", sentence(closed.words) if closed else ""),
        ("adopted", _adopted(record)),
        ("other ledgers", _beside(record)),
        ("rows", "" if record.is_adoption else _rows(tables, unchanged, form)),
        ("schema", schema_changes(record, form)),
        ("declared losses", declared_losses(record, form)),
        ("findings accepted", accepted_findings(record) if form >= SPLIT_FORM else ""),
        ("given back", given_back(record, tables, form)),
        ("down file", down_file(record) if form >= SPLIT_FORM else ""),
        ("can be undone by", rollback_path(record, form)),
        ("waived", _waived(record)),
        ("failed", _failed(record, form) or _nothing_failed(record, form)),
    )
    return Summary(
        title=f"{record.migration} on {record.database.label}",
        verdict=verdict_of(record, missing),
        facts=tuple((name, text) for name, text in facts if text),
        tables=tables[:most],
        unlisted=max(len(tables) - most, 0),
        is_rehearsed=not was_counted_after(record),
        form=form,
        events=_events(timeline, form),
        commands=_commands(record, form),
    )


def _beside(record: Record) -> str:
    """The rows that the apply writes into other tools' ledgers; "" where there is none."""
    return joined((row.sql for row in record.last_facts(CopyFacts).beside), _NAMED)


def _what(record: Record) -> str:
    decided = record.last_facts(ClassFacts)
    kind = decided.kind.value if decided.kind else "unclassified"
    risk = f", {decided.risk} risk" if decided.risk else ""
    purpose = record.last(PurposeFacts.step)
    because = f": {purpose.words}" if purpose and purpose.status.is_answered else ""
    text = record.subjects.get("migration", "unknown")
    about = record.last(ApplyFacts.step) or record.last(GoFacts.step)
    text = about.subjects.get("migration", text) if about else text
    return f"{sentence(f'{kind}{risk}{because}')} (sha256 {text})"


def _most(limits: Mapping[int, int], form: int) -> int:
    """The limit of a form; a form of a later program is bounded like today's."""
    return limits.get(form, limits[SPLIT_FORM])


def _where(record: Record, form: int) -> str:
    database = record.database
    if form >= SPLIT_FORM and database.target == PRACTICE:
        return f"{database.label}, uuid {database.id}, practice on this machine: no real database"
    target = "" if database.target == "remote" else f", answered by {database.target}"
    return f"{database.label}, uuid {database.id}{target}"


def _who(record: Record, form: int) -> str:
    signed, closed = record.last_facts(GoFacts), record.last_facts(CloseFacts)
    by_go = _signer(signed.signer, signed.fingerprint)
    by_close = _signer(closed.signer, closed.fingerprint) if closed_attempt(record) else ""
    if form >= SPLIT_FORM and by_go and by_go == by_close:
        parts = [f"GO and close: {by_go}"]
    else:
        parts = [f"GO: {by_go}"] if by_go else []
        parts += [f"close: {by_close}"] if by_close else []
    signers = {signed.signer, closed.signer}
    others = [a.by for a in record.attempts if a.by not in signers]
    if others:
        also = "also " if parts or form < GROUPED_FORM else ""
        parts.append(f"{also}at work: {joined(dict.fromkeys(others), _NAMED)}")
    return " · ".join(parts)


def _reviews(record: Record) -> str:
    """Who reviewed GO by the close, and what they decided; before it nobody can say."""
    closed = closed_attempt(record)
    if closed is None:
        return ""
    seen = CloseFacts.from_attempt(closed).reviews
    told = (
        f"GO {review.verdict} by {_signer(review.by, review.fingerprint)}"
        + (f": {review.reason}" if review.reason else "")
        for review in seen
    )
    return joined(told, _NAMED) or "nobody else had reviewed it by the close"


def _signer(name: str, fingerprint: str) -> str:
    return f"{name}, key {fingerprint}" if name and fingerprint else name


def _when(record: Record) -> str:
    signed, closed = record.last_facts(GoFacts), closed_attempt(record)
    applied = record.last(ApplyFacts.step)
    parts = [f"GO {timestamp(signed.signed_at)}"] if signed.signed_at else []
    if applied is not None:
        how = "applied" if applied.status.is_answered else f"apply {applied.status}"
        parts.append(f"{how} {timestamp(applied.started_at)}")
    if closed is not None:
        at = CloseFacts.from_attempt(closed).at
        parts.append(f"closed {timestamp(at) if at else 'at an unknown time'}")
    return " · ".join(parts)


def _adopted(record: Record) -> str:
    """The files that got a row in the ledger, and those of them that only a person vouches for."""
    found = record.last_facts(AdoptedFacts)
    vouched = f"; by words: {joined(found.by_words, _NAMED)}" if found.by_words else ""
    return f"{plural(len(found.names), 'row')}{vouched}" if found.names else ""


def _rows(tables: Sequence[ChangedTable], unchanged: int, form: int) -> str:
    if not tables and not unchanged:
        return "not counted yet"
    gone = sum(table.gone for table in tables)
    changed = sum(table.changed for table in tables)
    lost = f"{plural(gone, 'row')} lost" if gone else "no row lost"
    how = "with other values" if form < SPLIT_FORM else "changed"
    values = f", {plural(changed, 'row')} {how}" if changed else ""
    if form > 1:
        lost += _in_tables((t.table, t.gone) for t in tables)
        values += _in_tables((t.table, t.changed) for t in tables)
    fewer = _fewer(tables) if form > 1 else ""
    return f"{lost}{values}; {plural(unchanged, 'table')} unchanged{fewer}"


def _fewer(tables: Sequence[ChangedTable]) -> str:
    """What was counted at the close and is less than before, whoever took it."""
    less = [(t.table, (t.before or 0) - max(t.now, 0)) for t in tables if t.now is not None]
    rows = sum(number for _, number in less if number > 0)
    named = _in_tables((table, number) for table, number in less if number > 0)
    return f"; at the close {plural(rows, 'row')} fewer than before{named}" if rows else ""


def _in_tables(counted: Iterable[tuple[str, int]]) -> str:
    """In which tables, such as “ (members 1,204)”."""
    told = joined((f"{table} {count(rows)}" for table, rows in counted if rows), _NAMED)
    return f" ({told})" if told else ""


def _waived(record: Record) -> str:
    last = {attempt.step: attempt for attempt in record.attempts}
    waived = (a for a in last.values() if a.status.value == "waived")
    return joined((f"{step_name(a.step)}: {sentence(a.words)}" for a in waived), _NAMED)


def _failed(record: Record, form: int) -> str:
    """The attempts that did not succeed, the last ones named; the apply's always."""
    failed = [a for a in record.attempts if not a.status.is_answered and a.finished_at]
    failed += [a for a in record.attempts if a.status.is_unobserved and not a.finished_at]
    named = sorted(failed, key=lambda a: (a.step != ApplyFacts.step, -a.started_at.timestamp()))
    if form >= GROUPED_FORM:
        return joined(_of_each_step(named), _NAMED)
    return joined((f"{_stated(a)}: {sentence(a.words)}" for a in named), _NAMED)


def _of_each_step(failed: Sequence[Attempt]) -> Iterable[str]:
    """The last attempt at each step, and how many there were; every one of the apply."""
    times = Counter(attempt.step for attempt in failed)
    is_named = set[str]()
    for attempt in failed:
        if attempt.step != ApplyFacts.step and attempt.step in is_named:
            continue
        is_named.add(attempt.step)
        is_one = attempt.step == ApplyFacts.step or times[attempt.step] == 1
        often = "" if is_one else f", the last of {times[attempt.step]} times"
        words = sentence(attempt.words).removesuffix(".")
        yield f"{_stated(attempt)}{often}: {words}"


def _nothing_failed(record: Record, form: int) -> str:
    """That nothing failed, and how the steps were answered: a stranger asks “of how many?”."""
    if form < SPLIT_FORM:
        return "nothing" if form > 1 else ""
    last = Counter({a.step: a.status for a in record.attempts}.values())
    told = ", ".join(f"{last[status]} {status}" for status in _ANSWERED if last[status])
    return f"nothing. Steps: {told}" if told else "nothing"


def _stated(attempt: Attempt) -> str:
    return f"{step_name(attempt.step)} {attempt.status} {timestamp(attempt.started_at)}"


def _events(timeline: Sequence[Event], form: int) -> tuple[str, ...]:
    """What was done in the emergency: its first line and its last ones."""
    lines = [f"{timestamp(event.at)} {sentence(event.words)}" for event in timeline]
    most = _most(_EVENTS, form)
    if len(lines) <= most:
        return tuple(lines)
    left = len(lines) - most + 1
    return (lines[0], f"… {count(left)} more in timeline.md", *lines[-most + 2 :])


def _commands(record: Record, form: int) -> tuple[str, ...]:
    """How GO and the close are checked with nothing but ssh-keygen, and all of it with us."""
    signed, closed = record.last_facts(GoFacts), record.last_facts(CloseFacts)
    above = "" if form == 1 else "../" * (2 + record.migration.count("/"))  # out of its folder
    signers = f"{above}allowed_signers"
    found = [_command(signed.signer, GO, "go.toml", signers)] if signed.signer else []
    if closed.signer and closed_attempt(record):
        found.append(_command(closed.signer, CLOSE, "record.toml", signers))
    if form == 1 or not found:
        return tuple(found)
    stem = shlex.quote(sentence(record.migration.removesuffix(".sql")))
    words = "  # in the project: all of it; GO and close alone, in here:"
    return (f"preflight verify {stem}{'' if form >= SPLIT_FORM else words}", *found)


def _command(signer: str, namespace: str, file: str, signers: str) -> str:
    who = shlex.quote(sentence(signer))
    return f"ssh-keygen -Y verify -f {signers} -I {who} -n {namespace} -s {file}.sig < {file}"

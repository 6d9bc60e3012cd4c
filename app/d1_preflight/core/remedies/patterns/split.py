"""Splits a file that holds several logical changes: one file for each, proved to do the same."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from d1_preflight.core.effects.logical_changes import LogicalChange, deeds_words, logical_changes
from d1_preflight.core.project.migration import Migration, ledger_key
from d1_preflight.core.project.template import found_header, migration_name, with_header
from d1_preflight.core.remedies.edits import BREAKPOINT, end_of_line, newline
from d1_preflight.core.remedies.fix import Answer, Fix, fix
from d1_preflight.core.remedies.patterns.trial import tried_in_parts
from d1_preflight.core.remedies.proof import Proof
from d1_preflight.core.remedies.remedy import NoRemedy, Reading
from d1_preflight.core.schema.schema import Schema

RULE = "several-changes"
"""The rule whose remedy needs further files."""
_HEADER_RULES = ("declared-type-differs", "critical-missing", "final-semicolon-missing")
_MOST_WORDS = 3

NameOf = Callable[[str, Sequence[str]], str]
"""Names a new file by its words and by the names that were just given."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of the files: the first bears the author's name."""

    name: str
    text: str
    what: str


@dataclass(frozen=True, slots=True)
class Split:
    """The author's text and the files that do the same one after the other; `rows`: proved on."""

    before: str
    parts: tuple[Part, ...]
    rows: str


def split(
    migration: Migration, prior: Schema, siblings: Sequence[Migration], name_of: NameOf
) -> Split | NoRemedy:
    """One file for each logical change; or why that cannot be written."""
    author = Reading.of(migration, prior, siblings)
    reason = _why_not(author)
    if reason:
        return NoRemedy(reason)
    context = author.context
    changes = logical_changes(context.script, context.verdict.effects.tables_rebuilt)
    parts, names = list[Part](), list[str]()
    for number, text in enumerate(_texts(author, changes)):
        name = name_of(_words(changes[number]), names) if number else migration.name
        names += [name] if number else []
        parts.append(Part(name, text, deeds_words([changes[number]])))
    return _proved(author, prior, parts)


def names_at(now: datetime, migration: Migration, siblings: Sequence[Migration]) -> NameOf:
    """Names the further files as the folder names its own."""

    def name_of(words: str, made: Sequence[str]) -> str:
        names = [*(sibling.name for sibling in siblings), *made]
        return migration_name(words, names, now, migration.naming.convention(names))

    return name_of


def with_split(found: Fix, divided: Split | NoRemedy) -> Fix:
    """A fix that leaves the several changes, with the split of them, or why there is none."""
    answer = next((a for a in found.left if a.finding.rule == RULE), None)
    if answer is None:
        return found
    if isinstance(divided, NoRemedy):
        why = replace(answer, reason=divided.reason)
        return replace(found, left=tuple(why if a is answer else a for a in found.left))
    what = "; ".join(f"{part.name}: {part.what}" for part in divided.parts)
    done = Answer(answer.finding, what=f"becomes {len(divided.parts)} files. {what}")
    first, *further = divided.parts
    files = tuple((part.name, part.text) for part in further)
    proof = Proof(rows=divided.rows)
    whole = Fix(found.before, first.text, (done,), proof=proof, files=files)
    return replace(found, split=whole)


def _why_not(author: Reading) -> str:
    """What speaks against any split of this file; "" where nothing does."""
    context = author.context
    if context.name_is_kept:
        tool = context.migration.naming.tool
        return f"{tool} made this file and keeps its own list: generate the changes one by one."
    if RULE not in {finding.rule for finding in author.findings}:
        return "The file holds one logical change."
    refused = next((t for t in context.statements if t.error), None)
    if refused is not None or context.script.count > len(context.statements):
        return "Not every statement of it could be analysed."
    key = ledger_key(context.migration.name)
    later = [s.name for s in context.siblings if ledger_key(s.name) > key]
    if later:
        return f"The second file would run after {later[0]}, which may depend on it."
    return ""


def _texts(author: Reading, changes: Sequence[LogicalChange]) -> Iterator[str]:
    """The text of each part: its statements with their comments, in the author's order."""
    owner = {t.statement.start: n for n, c in enumerate(changes) for t in c.statements}
    pieces: list[list[str]] = [[] for _ in changes]
    waiting, at, last = "", 0, 0
    for trace in author.context.statements:
        end = end_of_line(author.text, trace.statement.end)
        piece, at = author.text[at:end], end
        found = owner.get(trace.statement.start)
        if found is None:  # a PRAGMA holds for what follows it
            waiting += piece
            continue
        pieces[found].append(waiting + piece)
        waiting, last = "", found
    pieces[last].append(waiting + author.text[at:])
    for number, part in enumerate(pieces):
        text = "".join(part)
        if number:  # it begins with its own first comment or statement
            text = re.sub(rf"\A\s*(?:{BREAKPOINT}\s*)*", "", text)
        yield f"{text.rstrip().removesuffix(BREAKPOINT).rstrip()}{newline(author.text)}"


def _words(change: LogicalChange) -> str:
    """What a part is called: its first deed, and its tables."""
    deed = change.deeds[0].value.split()[0]
    tables = [word for name in change.tables for word in re.findall("[a-z0-9]+", name.lower())]
    return " ".join((deed, *tables[:_MOST_WORDS])) if tables else f"{deed} it"


def _proved(author: Reading, prior: Schema, parts: Sequence[Part]) -> Split | NoRemedy:
    """The parts with their headers, where they come to what the author's file comes to."""
    now, files = prior, list[Part]()
    siblings = tuple(s for s in author.context.siblings if s.name != author.context.migration.name)
    allowed = Counter(f.rule for f in author.findings if f.blocks)
    for part in parts:
        text = _with_header(author, part, now, siblings, is_first=not files)
        made = Migration.from_text(part.name, text)
        reading = Reading.of(made, now, (*siblings, made))
        allowed.subtract(f.rule for f in reading.findings if f.blocks)
        new = next((rule for rule, count in allowed.items() if count < 0), "")
        if new:
            return NoRemedy(f"The split is not proved: {new} would be new in {part.name}.")
        files.append(replace(part, text=text))
        siblings, now = (*siblings, made), reading.context.script.after
    tried = tried_in_parts(
        prior, author.context.migration.name, author.text, [file.text for file in files]
    )
    if not tried.holds:
        return NoRemedy(f"The split is not proved: {tried.reason}.")
    return Split(author.text, tuple(files), tried.rows)


def _with_header(
    author: Reading, part: Part, now: Schema, siblings: Sequence[Migration], *, is_first: bool
) -> str:
    """The part's text: the author's header, corrected, or one of its own."""
    made = Migration.from_text(part.name, part.text)
    if is_first:
        return fix(made, now, (*siblings, made), rules=_HEADER_RULES).after
    if author.context.migration.header.missing:
        return part.text
    verdict = Reading.of(made, now, (*siblings, made)).context.verdict
    stem = made.stem.removesuffix("/migration").rpartition("/")[2]
    described = f"{author.context.migration.header.description} ({part.what})"
    header = found_header(stem, verdict.kind, verdict.effects, described)
    return with_header(part.text, f"{header}\n")

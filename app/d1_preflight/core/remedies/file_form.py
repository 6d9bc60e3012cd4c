"""Remedies of the file's form: its header, its end, transaction words, line ends and PRAGMAs."""

import re

from d1_preflight.core.findings import Finding, Kind
from d1_preflight.core.project.template import migration_text
from d1_preflight.core.remedies.edits import Edit, newline, without
from d1_preflight.core.remedies.remedy import NOT_FOUND, NoRemedy, Reading, Rewrite
from d1_preflight.core.sql.tokenizer import TokenKind, all_tokens

_NO_KIND = NoRemedy("It is unknown what the file does, so its type cannot be written.")
_NOTHING_YET = NoRemedy("Nothing is written in it yet: its type follows from the SQL.")
_FIELD = r"(?im)^(--[ \t]*{name}[ \t]*:)[^\r\n]*"


def final_semicolon(reading: Reading, _finding: Finding) -> Rewrite | NoRemedy:
    """Put the missing `;` behind the last token."""
    last = [t for t in all_tokens(reading.text) if t.kind is not TokenKind.COMMENT][-1:]
    if not last:
        return NOT_FOUND
    return Rewrite((Edit(last[0].end, last[0].end, ";"),), "ends the last statement with ;")


def closed_comment(reading: Reading, _finding: Finding) -> Rewrite | NoRemedy:
    """Close the comment at the end of the line where it begins, or of the file."""
    opened = [t for t in all_tokens(reading.text) if t.text.startswith("/*")][-1:]
    if not opened or opened[0].text.endswith("*/"):
        return NOT_FOUND
    inside = opened[0].text
    if ";" in inside:
        return NoRemedy(
            "The unclosed comment contains SQL: only the author knows whether it should run."
        )
    end = opened[0].start + len(inside.rstrip())
    return Rewrite((Edit(end, end, " */"),), "closes the comment")


def no_transaction(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """Take BEGIN, COMMIT and END out: the file is one transaction already."""
    trace = reading.trace_of(finding)
    if trace is None:
        return NOT_FOUND
    if trace.verb not in ("BEGIN", "COMMIT", "END"):
        return NoRemedy("Only the author knows what a SAVEPOINT or ROLLBACK should keep or undo.")
    edit = without(reading.text, trace.statement)
    return Rewrite((edit,), f"removes {trace.verb}: the file already runs as one transaction")


def no_transaction_words(reading: Reading, _finding: Finding) -> Rewrite | NoRemedy:
    """Take the statements out, and write the words in a comment in lower case."""
    edits = [
        without(reading.text, trace.statement)
        for trace in reading.context.statements
        if trace.verb in ("BEGIN", "COMMIT", "END")
    ]
    for token in all_tokens(reading.text):
        if "BEGIN TRANSACTION" not in token.text:
            continue
        if token.kind is not TokenKind.COMMENT:
            return NoRemedy("The words are part of a stored text, which cannot be changed.")
        lower = token.text.replace("BEGIN TRANSACTION", "begin transaction")
        edits.append(Edit(token.start, token.end, lower))
    if not edits:
        return NOT_FOUND
    return Rewrite(tuple(edits), "removes the words BEGIN TRANSACTION")


def no_byte_order_mark(_reading: Reading, _finding: Finding) -> Rewrite | NoRemedy:
    """Take the byte order mark out."""
    return Rewrite((Edit(0, 1, ""),), "removes the byte order mark")


def line_feeds(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """Give a trigger plain line feeds; those inside its strings are the author's data."""
    trace = reading.trace_of(finding)
    if trace is None:
        return NOT_FOUND
    if any("\r" in token.text for token in trace.parsed.tokens):
        return NoRemedy("The line ending is inside a string of the trigger: it is data.")
    text = trace.statement.body.replace("\r\n", "\n")
    edit = Edit(trace.statement.begin, trace.statement.end, text)
    return Rewrite((edit,), "writes the trigger with plain line feeds")


def capital_begin(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """Write a trigger's BEGIN and END in capitals."""
    trace = reading.trace_of(finding)
    if trace is None:
        return NOT_FOUND
    edits = tuple(
        Edit.of(trace, t, t.text.upper())
        for t in trace.parsed.tokens
        if t.word in ("BEGIN", "END") and t.text != t.text.upper()
    )
    return Rewrite(edits, "writes BEGIN and END in capitals") if edits else NOT_FOUND


def no_statement(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """Take out a PRAGMA that D1 ignores or refuses."""
    trace = reading.trace_of(finding)
    if trace is None or trace.verb != "PRAGMA":
        return NoRemedy("Only a PRAGMA is removed.")
    edit = without(reading.text, trace.statement)
    return Rewrite((edit,), f"removes PRAGMA {trace.target}: it does nothing on D1")


def no_idle_pragmas(reading: Reading, _finding: Finding) -> Rewrite | NoRemedy:
    """Take out every PRAGMA foreign_keys, the ON at the end too."""
    edits = tuple(
        without(reading.text, trace.statement)
        for trace in reading.context.statements_of("PRAGMA")
        if trace.target == "foreign_keys"
    )
    return Rewrite(edits, "removes PRAGMA foreign_keys: D1 ignores it") if edits else NOT_FOUND


def header_written(reading: Reading, _finding: Finding) -> Rewrite | NoRemedy:
    """Write the fields of the template that the header lacks, on top of the file."""
    context = reading.context
    kind = context.verdict.kind
    known = context.migration.header
    if context.migration.is_blank:  # as wrangler creates it
        return _NOTHING_YET
    if kind not in (Kind.ADDITIVE, Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE):
        return _NO_KIND
    lines = migration_text(context.migration.name.rpartition("/")[2], kind, "").splitlines()
    wanted = [name.capitalize() for name in known.missing]
    if kind is Kind.DESTRUCTIVE and not known.critical:
        wanted.append("CRITICAL")
    chosen = [line for line in lines if any(line.startswith(f"-- {w}:") for w in wanted)]
    whole = len(known.missing) == len(("migration", "description", "type", "rollback"))
    chosen += [line for line in lines if whole and line.startswith("-- ==")]
    end = newline(reading.text)
    start = int(reading.text.startswith("\ufeff"))
    edit = Edit(start, start, "".join(f"{line}{end}" for line in chosen) + (end if whole else ""))
    return Rewrite((edit,), f"writes the header: {', '.join(wanted)}")


def header_name(reading: Reading, _finding: Finding) -> Rewrite | NoRemedy:
    """Write the file's own name into its header."""
    stem = reading.context.migration.stem.rpartition("/")[2]
    return _field(reading, "Migration", stem)


def header_type(reading: Reading, _finding: Finding) -> Rewrite | NoRemedy:
    """Write the type that the statements have."""
    kind = reading.context.verdict.kind
    if kind not in (Kind.ADDITIVE, Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE):
        return _NO_KIND
    return _field(reading, "Type", kind.value.capitalize())


def header_critical(reading: Reading, _finding: Finding) -> Rewrite | NoRemedy:
    """Ask for the backup behind the header's rollback line."""
    found = re.search(_FIELD.format(name="Rollback"), reading.text)
    if not found:
        return NoRemedy("The header has no line for the rollback.")
    line = "-- CRITICAL: Backup required before applying"
    edit = Edit(found.end(), found.end(), newline(reading.text) + line)
    return Rewrite((edit,), "adds the line about the backup to the header")


def _field(reading: Reading, name: str, value: str) -> Rewrite | NoRemedy:
    found = re.search(_FIELD.format(name=name), reading.text)
    if not found:
        return NoRemedy(f"The header has no line {name}.")
    edit = Edit(found.end(1), found.end(), f" {value}")
    return Rewrite((edit,), f"writes {name}: {value} into the header")

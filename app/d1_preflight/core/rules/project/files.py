"""Traps of the file itself, as wrangler reads it."""

import re
from collections.abc import Iterator
from functools import lru_cache

from d1_preflight.core.project.migration import Migration, leading_number
from d1_preflight.core.rules.context import Case, Find, Hit, at, at_file, at_offset
from d1_preflight.core.sql.tokenizer import TokenKind, all_tokens, tokens

_COUNTED = 9_999  # larger numbers are dates, which leave gaps by their nature
_DOWN = re.compile(r"(^|[._-])(down|rollback|revert)([._-]|$)", re.IGNORECASE)


def final_semicolon_missing(case: Case) -> Iterator[Hit]:
    """A last statement without `;`: wrangler's own INSERT is glued to it."""
    last = case.acts[-1] if case.acts else None
    if last and not last.statement.complete and not ends_open(last.statement.text):
        statement = last.statement
        final = tokens(statement.body, limit=len(statement.body))[-1]
        offset = statement.start + statement.lead + final.start
        yield at_offset(case.text, offset, len(final.text))


def comment_unclosed(case: Case) -> Iterator[Hit]:
    """A `/*` that is never closed: it swallows wrangler's INSERT into the ledger."""
    if "/*" not in case.text:
        return
    for token in all_tokens(case.text):
        opens = token.kind is TokenKind.COMMENT and token.text.startswith("/*")
        if opens and (not token.text.endswith("*/") or len(token.text) < len("/**/")):
            yield at_offset(case.text, token.start, 2)


def begin_transaction_words(case: Case) -> Iterator[Hit]:
    """The words BEGIN TRANSACTION anywhere, even in a comment or a string."""
    at_place = case.text.find("BEGIN TRANSACTION")
    if at_place >= 0:
        yield at_offset(case.text, at_place, len("BEGIN TRANSACTION"))


def nul_byte(case: Case) -> Iterator[Hit]:
    """A NUL character: SQLite stops reading there."""
    place = case.text.find("\0")
    if place >= 0:
        yield at_offset(case.text, place)


def not_utf_8(case: Case) -> Iterator[Hit]:
    """Bytes that are not UTF-8, which stand in the text as wrangler reads it."""
    place = case.text.find("\ufffd")
    if place >= 0:
        yield at_offset(case.text, place)


def byte_order_mark(case: Case) -> Iterator[Hit]:
    """A byte order mark: before CREATE TRIGGER it makes the file fail."""
    if case.text.startswith("\ufeff"):
        yield at_file()


def down_file(case: Case) -> Iterator[Hit]:
    """A down migration among the migrations: wrangler applies it as one more step forward."""
    if _DOWN.search(case.migration.stem):
        yield at_file(name=case.migration.name)


def duplicate_number(case: Case) -> Iterator[Hit]:
    """Two files with one number."""
    number = case.migration.number
    for other in case.siblings:
        same = _number(other.name) == number and other.name != case.migration.name
        if number is not None and same and not _is_down(other):
            yield at_file(name=case.migration.name, other=other.name, number=str(number))
            return


def number_out_of_order(case: Case) -> Iterator[Hit]:
    """A new file whose number is not above those that were there before it."""
    if case.migration.name in case.known:  # it was edited
        return
    number = case.migration.number
    numbers = {n: name for name in case.known if (n := _number(name)) is not None}
    highest = max(numbers, default=None)
    if number is not None and highest is not None and number <= highest:
        other = numbers[highest]
        yield at_file(name=case.migration.name, other=other, next=f"{highest + 1:04d}")


def number_gap(case: Case) -> Iterator[Hit]:
    """A number left out before this file: a file that fills it later runs out of order."""
    number = case.migration.number
    earlier = [n for n in (_number(other.name) for other in case.siblings) if n is not None]
    before = max((n for n in earlier if number is not None and n < number), default=None)
    if number and before is not None and before + 1 < number <= _COUNTED:
        yield at_file(name=case.migration.name, missing=f"{before + 1:04d}")


def number_behind(case: Case) -> Iterator[Hit]:
    """A name without a number among names with numbers: it runs after all of them."""
    if case.migration.number is not None:
        return
    numbered = [other for other in case.siblings if other.number is not None]
    if numbered:
        yield at_file(name=case.migration.name, other=numbered[-1].name)


def suffix_not_seen(case: Case) -> Iterator[Hit]:
    """A name that wrangler does not see: `.SQL`, or in a sub-folder."""
    name = case.migration.name
    if not name.endswith(".sql") or name.startswith("."):
        yield at_file(name=name)


def empty_file(case: Case) -> Iterator[Hit]:
    """No statement at all: it is recorded as applied all the same."""
    if not case.acts:
        yield at_file(name=case.migration.name)


def last_word_swallows(case: Case) -> Iterator[Hit]:
    """A file that ends in EXPLAIN: the ledger's INSERT is explained instead of run."""
    last = case.acts[-1] if case.acts else None
    if last and last.phrase.verb == "EXPLAIN" and not last.statement.complete:
        yield at(last)


RULES: tuple[Find, ...] = (
    final_semicolon_missing,
    comment_unclosed,
    begin_transaction_words,
    nul_byte,
    not_utf_8,
    byte_order_mark,
    down_file,
    duplicate_number,
    number_out_of_order,
    number_gap,
    number_behind,
    suffix_not_seen,
    empty_file,
    last_word_swallows,
)


@lru_cache(maxsize=4096)
def _number(name: str) -> int | None:
    return leading_number(name)


@lru_cache(maxsize=2)  # every rule about refusals asks it of the same last statement
def ends_open(text: str) -> bool:
    """Whether a comment or quote at the end is never closed (it has its own rule)."""
    found = list(all_tokens(text))
    if not found:
        return False
    last = found[-1]
    if last.kind is TokenKind.COMMENT:
        return last.text.startswith("/*") and not last.text.endswith("*/")
    quoted = last.kind in (TokenKind.STRING, TokenKind.NAME)
    return quoted and (len(last.text) == 1 or last.text[-1] not in "'\"`]")


def _is_down(other: Migration) -> bool:
    return _DOWN.search(other.stem) is not None

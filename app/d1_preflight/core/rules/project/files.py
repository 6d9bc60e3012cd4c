"""Traps of the file itself, as wrangler reads it."""

import re
from collections import deque
from collections.abc import Iterator
from functools import lru_cache

from d1_preflight.core.project.migration import leading_number
from d1_preflight.core.rules.context import (
    Match,
    Rule,
    RuleContext,
    match_at,
    match_file,
    match_offset,
)
from d1_preflight.core.sql.tokenizer import Token, TokenKind, all_tokens

_COUNTED = 9_999  # larger numbers are dates, which leave gaps by their nature
_DOWN = re.compile(r"(^|[._-])(down|rollback|revert)([._-]|$)", re.IGNORECASE)


def final_semicolon_missing(context: RuleContext) -> Iterator[Match]:
    """A last statement without `;`: wrangler's own INSERT is glued to it."""
    last = context.statements[-1] if context.statements else None
    if last and not last.statement.complete and not ends_open(last.statement.text):
        statement = last.statement
        final = _last_token(statement.body)
        offset = statement.begin + final.start
        yield match_offset(context.text, offset, len(final.text))


def comment_unclosed(context: RuleContext) -> Iterator[Match]:
    """A `/*` that is never closed: it swallows wrangler's INSERT into the ledger."""
    if "/*" not in context.text:
        return
    for token in all_tokens(context.text):
        opens = token.kind is TokenKind.COMMENT and token.text.startswith("/*")
        if opens and (not token.text.endswith("*/") or len(token.text) < len("/**/")):
            yield match_offset(context.text, token.start, 2)


def begin_transaction_words(context: RuleContext) -> Iterator[Match]:
    """The words BEGIN TRANSACTION anywhere, even in a comment or a string."""
    at_place = context.text.find("BEGIN TRANSACTION")
    if at_place >= 0:
        yield match_offset(context.text, at_place, len("BEGIN TRANSACTION"))


def nul_byte(context: RuleContext) -> Iterator[Match]:
    """A NUL character: SQLite stops reading there."""
    place = context.text.find("\0")
    if place >= 0:
        yield match_offset(context.text, place)


def not_utf_8(context: RuleContext) -> Iterator[Match]:
    """Bytes that are not UTF-8, which stand in the text as wrangler reads it."""
    place = context.text.find("\ufffd")
    if place >= 0:
        yield match_offset(context.text, place)


def byte_order_mark(context: RuleContext) -> Iterator[Match]:
    """A byte order mark: before CREATE TRIGGER it makes the file fail."""
    if context.text.startswith("\ufeff"):
        yield match_file()


def down_file(context: RuleContext) -> Iterator[Match]:
    """A down migration among the migrations: wrangler applies it as one more step forward."""
    if _DOWN.search(context.migration.stem):
        yield match_file(name=context.migration.name)


def duplicate_number(context: RuleContext) -> Iterator[Match]:
    """Two files with one number."""
    number = context.migration.number
    for other in context.siblings:
        same = _number(other.name) == number and other.name != context.migration.name
        if number is not None and same and not _DOWN.search(other.stem):
            name = context.migration.name
            instead = _made_again(context)
            yield match_file(name=name, other=other.name, number=str(number), instead=instead)
            return


def number_out_of_order(context: RuleContext) -> Iterator[Match]:
    """A new file whose number is not above those that were there before it."""
    if context.migration.name in context.known:  # it was edited
        return
    number = context.migration.number
    numbers = {n: name for name in context.known if (n := _number(name)) is not None}
    highest = max(numbers, default=None)
    if number is not None and highest is not None and number <= highest:
        name, other = context.migration.name, numbers[highest]
        instead = _made_again(context)
        yield match_file(name=name, other=other, next=f"{highest + 1:04d}", instead=instead)


def number_gap(context: RuleContext) -> Iterator[Match]:
    """A number left out before this file: a file that fills it later runs out of order."""
    number = context.migration.number
    earlier = [n for n in (_number(other.name) for other in context.siblings) if n is not None]
    before = max((n for n in earlier if number is not None and n < number), default=None)
    if context.name_is_kept:
        return
    if number and before is not None and before + 1 < number <= _COUNTED:
        yield match_file(name=context.migration.name, missing=f"{before + 1:04d}")


def number_behind(context: RuleContext) -> Iterator[Match]:
    """A name without a number among names with numbers: it runs after all of them."""
    if context.migration.number is not None or context.name_is_kept:
        return
    numbered = [other for other in context.siblings if other.number is not None]
    if numbered:
        shown = context.convention.shown
        yield match_file(name=context.migration.name, other=numbered[-1].name, convention=shown)


def suffix_not_seen(context: RuleContext) -> Iterator[Match]:
    """A name that wrangler does not see: `.SQL`, or in a sub-folder."""
    name = context.migration.name
    if not name.endswith(".sql") or name.startswith("."):
        yield match_file(name=name)


def empty_file(context: RuleContext) -> Iterator[Match]:
    """No statement at all: it is recorded as applied all the same."""
    if not context.statements:
        yield match_file(name=context.migration.name)


def last_word_swallows(context: RuleContext) -> Iterator[Match]:
    """A file that ends in EXPLAIN: the ledger's INSERT is explained instead of run."""
    last = context.statements[-1] if context.statements else None
    if last and last.parsed.verb == "EXPLAIN" and not last.statement.complete:
        yield match_at(last)


RULES: tuple[Rule, ...] = (
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


_AGAIN = {
    "drizzle": "Do not rename it: drizzle's journal names it. Remove the newer one with npx "
    "drizzle-kit drop, then generate it again on the merged schema.",
    "prisma": "Do not rename it: Prisma knows it by its folder. Delete the newer one while it "
    "is applied nowhere, and create it again with npx prisma migrate dev --create-only.",
}


def _made_again(context: RuleContext) -> tuple[str, ...]:
    """What to do instead of renaming, where a tool's books hold the file."""
    return (_AGAIN[context.migration.naming.tool],) if context.name_is_kept else ()


_number = lru_cache(maxsize=4096)(leading_number)


@lru_cache(maxsize=2)  # every rule about refusals asks it of the same last statement
def ends_open(text: str) -> bool:
    """Whether a comment or quote at the end is never closed (it has its own rule)."""
    last = next(iter(deque(all_tokens(text), maxlen=1)), None)
    if last is None:
        return False
    if last.kind is TokenKind.COMMENT:
        return last.text.startswith("/*") and not last.text.endswith("*/")
    quoted = last.kind in (TokenKind.STRING, TokenKind.NAME)
    return quoted and (len(last.text) == 1 or last.text[-1] not in "'\"`]")


def _last_token(text: str) -> Token:
    found = (token for token in all_tokens(text) if token.kind is not TokenKind.COMMENT)
    return deque(found, maxlen=1).pop()

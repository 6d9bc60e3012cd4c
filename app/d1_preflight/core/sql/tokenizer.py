"""Splits a script into statements as SQLite does, and reads a statement into tokens.

`split` follows `sqlite3_complete`, the state machine that wrangler's local splitter copies: a
trigger body stays in one piece, and a byte order mark counts as a letter. It is linear: text in
which words do not matter is passed over by one expression that never backtracks.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from d1_preflight.lazy_dataclass import dataclass


class TokenKind(StrEnum):
    """What a token is."""

    WORD = "word"
    NAME = "name"  # in double quotes, backticks or brackets
    STRING = "string"
    NUMBER = "number"
    SIGN = "sign"
    COMMENT = "comment"


# A member of an enum is looked up by a call: eight times as dear as a name of the module.
_WORD, _SIGN, _COMMENT = TokenKind.WORD, TokenKind.SIGN, TokenKind.COMMENT
_QUOTED_KINDS = (TokenKind.NAME, TokenKind.STRING)


class Token(NamedTuple):  # made by the ten thousand: half the cost of a frozen dataclass
    """One token of a statement; `start` counts from the statement's first character."""

    kind: TokenKind
    text: str
    start: int

    @property
    def word(self) -> str:
        """The token in capitals if it is a bare word, else ""."""
        return self.text.upper() if self.kind is _WORD else ""

    @property
    def name(self) -> str:
        """The name that this token means, without quotes; its text if it is no name."""
        return unquote(self.text) if self.kind in _QUOTED_KINDS else self.text

    @property
    def end(self) -> int:
        """The place behind it, counted as `start` is."""
        return self.start + len(self.text)


@dataclass(frozen=True, slots=True)
class Statement:
    """One piece of a script, leading blanks and comments included.

    `line` and `column` are those of the first token, or of the piece where there is none;
    `complete` is false for a last piece without its `;`. `lead` is where the first token begins.
    """

    text: str
    start: int
    end: int
    line: int
    column: int
    lead: int
    complete: bool

    @property
    def is_blank(self) -> bool:
        """Whether the piece holds nothing but blanks, comments and a `;`."""
        rest = self.body.strip("\ufeff").strip()
        # Behind a byte order mark a comment does not count as leading.
        behind = rest.startswith(("--", "/*")) and not tokens(rest, limit=len(rest))
        return behind or rest in ("", ";")

    @property
    def body(self) -> str:
        """The text from the first token on."""
        return self.text[self.lead :]

    @property
    def begin(self) -> int:
        """Where in the script the first token begins."""
        return self.start + self.lead

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset within the piece."""
        between = self.text[self.lead : offset]
        breaks = between.count("\n")
        if not breaks:
            return self.line, self.column + len(between)
        return self.line + breaks, len(between) - between.rfind("\n")


_SKIP = r"(?:[ \t\n\f\r]+|--[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/)"
_BLANKS = re.compile(rf"{_SKIP}*+")
_QUOTED = r"'[^']*+'|\"[^\"]*+\"|`[^`]*+`|\[[^\]]*+\]"
_OTHER = rf"(?:[^;'\"`\[/\-]++|{_QUOTED}|--[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/|/(?!\*)|-(?!-))"
_TO_SEMICOLON = re.compile(rf"{_OTHER}*+;")
# What in ASCII is no letter, digit, _ or $: to name the rest of Unicode takes long to compile.
_NO_WORD = r"\x00-#%-/:-@\[-^`{-\x7f"
_WORD_OR_SIGN = re.compile(rf"[^{_NO_WORD}]++|{_QUOTED}|/(?!\*)|-(?!-)|[^'\"`\[/\-]")
_NEXT = {
    # state: the words that matter in it; every other token leads to the last entry
    "start": ({"EXPLAIN": "explain", "CREATE": "create"}, "normal"),
    "explain": ({"EXPLAIN": "normal", "CREATE": "create"}, "explain"),
    "create": ({"TEMP": "create", "TEMPORARY": "create", "TRIGGER": "trigger"}, "normal"),
    "trigger": ({}, "trigger"),
    "semicolon": ({"END": "end"}, "trigger"),
    "end": ({}, "trigger"),
}
_EXPLAIN_LEAVES = frozenset({"EXPLAIN", "TEMP", "TEMPORARY", "TRIGGER", "END"})


def split(script: str) -> tuple[Statement, ...]:
    """All pieces of a script, blank ones too: joined, their texts are the script again."""
    return tuple(_pieces(script))


def statements(script: str) -> tuple[Statement, ...]:
    """The pieces that hold a statement."""
    return tuple(each_statement(script))


def each_statement(script: str) -> Iterator[Statement]:
    """The same one by one, for scripts that are too large to be held twice."""
    return (piece for piece in _pieces(script) if not piece.is_blank)


def _pieces(script: str) -> Iterator[Statement]:
    start, line, line_start = 0, 1, 0
    while start < len(script):
        end, complete = _end_of_piece(script, start)
        lead = _first_token(script, start, end)
        breaks = script.count("\n", start, lead)
        if breaks:
            line, line_start = line + breaks, script.rfind("\n", start, lead) + 1
        column = lead - line_start + 1
        yield Statement(script[start:end], start, end, line, column, lead - start, complete)
        breaks = script.count("\n", lead, end)
        if breaks:
            line, line_start = line + breaks, script.rfind("\n", lead, end) + 1
        start = end


def _first_token(script: str, start: int, end: int) -> int:
    found = _BLANKS.match(script, start, end)
    return found.end() if found else start


def _end_of_piece(script: str, start: int) -> tuple[int, bool]:
    state, at, size = "start", start, len(script)
    while True:
        if state == "normal":
            found = _TO_SEMICOLON.match(script, at)
            return (found.end(), True) if found else (size, False)
        if state == "trigger":
            found = _TO_SEMICOLON.match(script, at)
            if not found:
                return size, False
            at, state = found.end(), "semicolon"
            continue
        at = _first_token(script, at, size)
        token = _WORD_OR_SIGN.match(script, at)
        if not token:  # the end, or a quote or comment that is never closed
            return size, False
        at = token.end()
        if token.group() == ";":
            if state != "semicolon":
                return at, True
            continue
        state = _step(state, token.group())


def _step(state: str, token: str) -> str:
    words, otherwise = _NEXT[state]
    word = token.upper()
    if state == "explain" and word in _EXPLAIN_LEAVES:
        return "normal"
    return words.get(word, otherwise)


_TOKEN = re.compile(  # where a token would begin, SQLite passes over a byte order mark
    r"(?P<comment>--[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?)"
    r"|(?P<string>[xX]?'(?:[^']|'')*+'?)"
    r"|(?P<name>\"(?:[^\"]|\"\")*+\"?|`(?:[^`]|``)*+`?|\[[^\]]*+\]?)"
    r"|(?P<number>(?:0[xX][0-9a-fA-F]++|(?:\d[\d_]*+(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?))"
    rf"|(?P<word>(?!\ufeff)[^{_NO_WORD}0-9][^{_NO_WORD}]*+)"
    r"|(?P<sign>->>|->|\|\||<=|>=|<>|!=|==|<<|>>|(?!\ufeff)\S)"
)


def tokens(text: str, limit: int = 20_000) -> tuple[Token, ...]:
    """The tokens of a statement, comments left out; at most `limit` characters are read."""
    return tuple(t for t in all_tokens(text[:limit]) if t[0] is not _COMMENT)


def all_tokens(text: str) -> Iterator[Token]:
    """The tokens with the comments."""
    for found in _TOKEN.finditer(text):
        yield _NEW(Token, (_KINDS[found.lastgroup], found.group(), found.start()))


_KINDS: dict[str | None, TokenKind] = {kind.value: kind for kind in TokenKind}
_NEW = tuple.__new__  # without the call of Token's own


def outside(found: Sequence[Token]) -> Iterator[tuple[int, Token]]:
    """The tokens that stand in no parentheses, with their places."""
    depth = 0
    for n, token in enumerate(found):
        if token.kind is _SIGN:
            depth += (token.text == "(") - (token.text == ")")
        if depth == 0 or (depth == 1 and token.text == "("):
            yield n, token


def closing(found: Sequence[Token], opening: int) -> int:
    """The place of the parenthesis that closes the one at `opening`."""
    depth = 0
    for n in range(opening, len(found)):
        depth += (found[n].text == "(") - (found[n].text == ")")
        if depth == 0:
            return n
    return len(found)


def parted(found: Sequence[Token]) -> Iterator[tuple[Token, ...]]:
    """The parts between the commas that stand in no parentheses."""
    depth, part = 0, list[Token]()
    for token in found:
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.text == ",":
            yield tuple(part)
            part = []
        else:
            part.append(token)
    yield tuple(part)


def bare(found: Sequence[Token]) -> Sequence[Token]:
    """The tokens less the parentheses around all of them."""
    while found and found[0].text == "(" and closing(found, 0) == len(found) - 1:
        found = found[1:-1]
    return found


def unquote(text: str) -> str:
    """A name or string without its quotes."""
    if len(text) > 1 and text[0] in "\"`'" and text[-1] == text[0]:
        return text[1:-1].replace(text[0] * 2, text[0])
    return text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text


def quote_text(text: str) -> str:
    """The text as a string literal."""
    return "'" + text.replace("'", "''") + "'"


def quote_names(names: Iterable[str]) -> str:
    """The names in a list, each in double quotes."""
    return ", ".join(map(quote_name, names))


def quote_name(name: str) -> str:
    """The name in double quotes, safe to stand in SQL."""
    return '"' + name.replace('"', '""') + '"'

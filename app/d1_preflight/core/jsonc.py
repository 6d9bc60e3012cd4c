"""Reads JSON with comments and trailing commas, as wrangler does; places in errors stay true.

Comments and trailing commas become blanks, so the standard parser's line and column are those
of the file. Nothing else of JSON5 is taken: what wrangler would refuse is refused here.
"""

import json
import re

_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
_TRAILING_COMMA = re.compile(r'("(?:[^"\\\n]|\\.)*")|,(?=\s*[}\]])')
_NOT_A_LINE_END = re.compile(r"[^\n]")


class JsoncError(ValueError):
    """The text is not JSON with comments; `line` and `column` count from 1."""

    def __init__(self, reason: str, line: int, column: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.column = column


def loads(text: str) -> object:
    """Parse the text; raises JsoncError with the place."""
    blank = without_comments(text)
    plain = _TRAILING_COMMA.sub(lambda match: match[1] or " ", blank)
    try:
        return json.loads(plain, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise JsoncError(error.msg, error.lineno, error.colno) from error
    except RecursionError as error:
        raise JsoncError("nested too deeply", 1, 1) from error
    except ValueError as error:
        raise JsoncError("a number is too long", 1, 1) from error


def without_comments(text: str) -> str:
    """The same text with every comment blanked; lines and columns do not move."""
    return _TOKEN.sub(_blank_comment, text)


def _blank_comment(match: re.Match[str]) -> str:
    found = match[0]
    if found.startswith('"'):
        return found
    if found.startswith("/*") and not (found.endswith("*/") and len(found) > 3):  # noqa: PLR2004 - "/*/"
        before = match.string[: match.start()]
        line, column = before.count("\n") + 1, match.start() - before.rfind("\n")
        raise JsoncError("a comment is not closed", line, column)
    return _NOT_A_LINE_END.sub(" ", found)


def _refuse_constant(name: str) -> object:
    raise JsoncError(f"{name} is not JSON", 1, 1)

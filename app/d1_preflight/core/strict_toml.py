"""Reads TOML strictly: every refusal names the file, the line and the key."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from math import isfinite

from d1_preflight.core.errors import PreflightError, ProjectError

_LONGEST_KEY = re.compile(r"(?<![\w\"'.-])(?:[\w\"'-]++[ \t]*+\.[ \t]*+){50}")
_SMALLEST = -(2**63)
_LARGEST_EXPONENT = 18


def refuse_endless(text: str) -> None:
    """Refuse a key of many parts, which the parser reads in quadratic time; raises ValueError."""
    if _LONGEST_KEY.search(text):
        raise ValueError("it is nested more than 40 deep: a key has more than 50 parts")


def refuse_numbers(document: object) -> None:
    """Refuse numbers that TOML does not promise, wherever they stand; raises ValueError."""
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif not _is_usual(value):
            raise ValueError("a number is longer than 64 bits, or is none")


def _is_usual(value: object) -> bool:
    if isinstance(value, int):
        return _SMALLEST <= value < -_SMALLEST
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, Decimal):
        # What reads settings tells nan and infinity with line and key.
        return not value.is_finite() or abs(value.adjusted()) <= _LARGEST_EXPONENT
    return True


@dataclass(frozen=True, slots=True)
class SourceText:
    """A file's name for people and its text to find lines in; `refusal` is the error it raises."""

    source: str
    text: str
    refusal: type[PreflightError] = ProjectError

    def error(self, key: str, what: str, *, hint: str, nth: int = 0) -> PreflightError:
        """A refusal that points at the `nth` place where `key` is set, if it is set at all."""
        line = self.line_of(key, nth)
        place = f"{self.source}:{line}" if line else self.source
        return self.refusal(f"{place}: {what}", hint=hint)

    def at(self, line: int, what: str, *, hint: str) -> PreflightError:
        """A refusal at a line that the parser named."""
        return self.refusal(f"{self.source}:{line}: {what}", hint=hint)

    def toml(self) -> dict[str, object]:
        """The text as TOML, numbers exact; a refusal at the line where it is not."""
        try:
            refuse_endless(self.text)
            found = tomllib.loads(self.text.removeprefix("\ufeff"), parse_float=Decimal)
            refuse_numbers(found)
        except tomllib.TOMLDecodeError as error:
            reason, _, rest = str(error).partition(" (at ")
            place = re.match(r"line (\d+)", rest)
            line = int(place[1]) if place else len(self.text.splitlines())
            raise self.at(line, f"{reason}.", hint="Fix that place; it is not TOML.") from error
        except (ArithmeticError, ValueError, RecursionError) as error:  # without end
            raise self.refusal(
                f"{self.source}: a number is too long, or tables lie too deep in each other.",
                hint="Write it as the README shows.",
            ) from error
        return found

    def line_of(self, key: str, nth: int = 0, *, after: int = 0) -> int:
        """The line on which `key` is set for the `nth` time (from 0); 0 where it is not.

        Lines before `after` do not count.
        """
        name = re.escape(key)
        setting = re.compile(rf"(?:^|[{{,\[.])\s*[\"']?{name}[\"']?\s*(?:[=:\].]|$)")
        numbered = list(enumerate(self.text.splitlines(), 1))[max(0, after - 1) :]
        lines = [number for number, line in numbered if setting.search(line)]
        return lines[min(nth, len(lines) - 1)] if lines else 0

    def only(self, raw: Mapping[str, object], known: Iterable[str], where: str) -> None:
        """Refuse a key that nobody would read, offering the nearest known one."""
        names = tuple(known)
        for key in raw:
            if key not in names:
                near = get_close_matches(key, names, n=1)
                meant = f" Did you mean {near[0]}?" if near else ""
                raise self.error(
                    key,
                    f"unknown key {key} in {where}.{meant}",
                    hint=f"Known here: {', '.join(names)}.",
                )

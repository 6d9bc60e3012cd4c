"""Reads TOML strictly: every refusal names the file, the line and the key."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from math import isfinite
from typing import TypeVar

from d1_preflight.core.errors import PreflightError, ProjectError
from d1_preflight.lazy_dataclass import dataclass, replace

_T = TypeVar("_T")
_Member = TypeVar("_Member", bound=StrEnum)
_NAMES = re.compile(r"""[^\s."']+|"(?:[^"\\]|\\.)*"|'[^']*'""")
_HEADER = re.compile(r"\s*(\[\[?)(.+?)\]\]?\s*(?:#.*)?")
Path = tuple[str | int, ...]
"""Where a table lies in its document: keys, and places in a list from 0."""
_MOST_PARTS = 50
_LONGEST_KEY = re.compile(rf"(?<![\w\"'.-])(?:[\w\"'-]++[ \t]*+\.[ \t]*+){{{_MOST_PARTS}}}")
_SMALLEST = -(2**63)
_LARGEST_EXPONENT = 18


def refuse_endless(text: str) -> None:
    """Refuse a key of many parts, which the parser reads in quadratic time; raises ValueError."""
    # Most texts have no line of so many dots, and the search looks at every word.
    dotted = (line for line in text.split("\n") if line.count(".") >= _MOST_PARTS)
    if any(map(_LONGEST_KEY.search, dotted)):
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
            raise ValueError("a number is longer than 64 bits, or is not a number")


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
    """A file's name for people and its text to find lines in; `refusal` is the error it raises.

    `hint` is what to do about a text that is not TOML.
    """

    source: str
    text: str
    refusal: type[PreflightError] = ProjectError
    hint: str = "Correct that place; it is not valid TOML."

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
        import tomllib  # a start without a TOML file pays 5 ms less

        try:
            refuse_endless(self.text)
            found = tomllib.loads(self.text.removeprefix("\ufeff"), parse_float=Decimal)
            refuse_numbers(found)
        except tomllib.TOMLDecodeError as error:
            reason, _, rest = str(error).partition(" (at ")
            place = re.match(r"line (\d+)", rest)
            line = int(place[1]) if place else len(self.text.splitlines())
            raise self.at(line, f"{reason}.", hint=self.hint) from error
        except (ArithmeticError, ValueError, RecursionError) as error:  # without end
            raise self.refusal(
                f"{self.source}: a number is too long, or tables are nested too deep.",
                hint=self.hint,
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
                from difflib import get_close_matches

                near = get_close_matches(key, names, n=1)
                meant = f" Did you mean {near[0]}?" if near else ""
                raise self.error(
                    key,
                    f"unknown key {key} in {where}.{meant}",
                    hint=f"Known here: {', '.join(names)}.",
                )

    def line_in(self, path: Path, key: str = "") -> int:
        """The line of a key inside the table at `path`; that of the table where it has none."""
        spans = dict(_tables(self.text.splitlines()))
        while path not in spans:  # an inline table: a key of the one around it
            key = next((name for name in reversed(path) if isinstance(name, str)), key)
            path = path[:-1]
        first, lines = spans[path]
        setting = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*[=.]""")
        inside = (n for n, line in enumerate(lines, first) if key and setting.match(line))
        return next(inside, max(first, 1))


@dataclass(frozen=True, slots=True)
class TomlTable:
    """One table of a file, read key by key; `name` is what people call it."""

    source: SourceText
    raw: Mapping[str, object]
    name: str = "the top level"
    path: Path = ()
    hint: str = "Correct that place."

    @classmethod
    def of(cls, source: SourceText, hint: str) -> "TomlTable":
        """The top level of a file; a refusal of anything in it gives this hint."""
        return cls(source, source.toml(), hint=hint)

    def called(self, name: str) -> "TomlTable":
        """The same table by another name."""
        return replace(self, name=name)

    def error(self, key: str, what: str, hint: str = "") -> PreflightError:
        """A refusal that points at the line of a key of this table."""
        line = self.source.line_in(self.path, key)
        end = "" if what.endswith("?") else "."
        return self.source.at(line, f"{what}{end}", hint=hint or self.hint)

    def only(self, known: Iterable[str]) -> None:
        """Refuse a key that nobody would read, offering the nearest known one."""
        names = tuple(sorted(known))
        for key in self.raw:
            if key not in names:
                from difflib import get_close_matches

                near = get_close_matches(key, names, n=1)
                meant = f"; did you mean {near[0]}?" if near else ""
                hint = f"Known here: {', '.join(names)}."
                raise self.error(key, f"unknown key {key!r} in {self.name}{meant}", hint)

    def text(self, key: str, default: str | None = None) -> str:
        """A string; one without a default must be there."""
        value = self._value(key, default)
        if not isinstance(value, str):
            raise self.error(key, f"{key} of {self.name} must be a string")
        return value

    def filled(self, key: str) -> str:
        """A string that is there and not empty."""
        value = self.text(key)
        if not value.strip():
            raise self.error(key, f"{self.name} has no {key}")
        return value

    def texts(self, key: str, default: Sequence[str] | None = ()) -> tuple[str, ...]:
        """A list of strings; one with the default None must be there."""
        value = self._value(key, default if default is None else list(default))
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(key, f"{key} of {self.name} must be a list of strings")
        return tuple(value)

    def flag(self, key: str) -> bool:
        """True or false; false where it is left out."""
        value = self.raw.get(key, False)
        if not isinstance(value, bool):
            raise self.error(key, f"{key} of {self.name} must be true or false")
        return value

    def whole(self, key: str) -> int:
        """A whole number that is there."""
        value = self._value(key, None)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.error(key, f"{key} of {self.name} must be a whole number")
        return value

    def parsed(self, key: str, read: Callable[[str], _T], form: str) -> _T:
        """A string as `read` understands it; ValueError is a refusal that asks for `form`."""
        value = self.text(key)
        try:
            return read(value)
        except ValueError as error:
            raise self.error(key, f"{key} of {self.name} must be {form}") from error

    def choice(self, key: str, kind: type[_Member], default: str | None = None) -> _Member:
        """One member of a closed set."""
        return self.member(key, kind, self.text(key, default))

    def member(self, key: str, kind: type[_Member], value: str) -> _Member:
        """The member of a closed set with this value, which `key` holds."""
        try:
            return kind(value)
        except ValueError:
            names = ", ".join(member.value for member in kind)
            raise self.error(key, f"{self.name}: {value!r} is not one of {names}") from None

    def table(self, key: str, *, optional: bool = False) -> "TomlTable":
        """A table within this one."""
        value = self._value(key, {} if optional else None)
        if not isinstance(value, dict):
            raise self.error(key, f"{key} of {self.name} must be a table")
        return replace(self, raw=value, name=f"{key} of {self.name}", path=(*self.path, key))

    def tables(self, key: str, name: str) -> tuple["TomlTable", ...]:
        """A list of tables, each called `name`; none where it is left out."""
        value = self.raw.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.error(key, f"{key} of {self.name} must be a list of tables")
        return tuple(
            replace(self, raw=raw, name=name, path=(*self.path, key, n))
            for n, raw in enumerate(value)
        )

    def strings(self) -> dict[str, str]:
        """All keys, each with a string."""
        return {key: self.text(key) for key in self.raw}

    def _value(self, key: str, default: object) -> object:
        value = self.raw.get(key, default)
        if value is None:
            raise self.error(key, f"{self.name} has no {key}")
        return value


def _tables(lines: Sequence[str]) -> Iterator[tuple[Path, tuple[int, Sequence[str]]]]:
    """Every table that has a header, with its first line's number and its lines."""
    last: dict[Path, int] = {}
    path, start, quoted = Path(), 0, ""
    for n, line in enumerate(lines):
        header = None if quoted else _HEADER.fullmatch(line)
        quoted = _quote_left_open(line, quoted)
        if header is None:
            continue
        yield path, _span(lines, start, n)
        path, start = _path(header[2], last, is_list=header[1] == "[["), n
    yield path, _span(lines, start, len(lines))


def _span(lines: Sequence[str], start: int, end: int) -> tuple[int, Sequence[str]]:
    return start + 1, lines[start:end]


def _path(names: str, last: dict[Path, int], *, is_list: bool) -> Path:
    """The path that a header names; `last` has the place of each list's last entry."""
    path: Path = ()
    keys = [name.strip("\"'") for name in _NAMES.findall(names)]
    for n, key in enumerate(keys, 1):
        path = (*path, key)
        if is_list and n == len(keys):
            last[path] = last.get(path, -1) + 1
        if path in last:
            path = (*path, last[path])
    return path


def _quote_left_open(line: str, quoted: str) -> str:
    """The mark of a multi-line string that is open after this line; "" for none."""
    for mark in re.findall(r'"""|\'\'\'', line):
        if not quoted:
            quoted = mark
        elif mark == quoted:
            quoted = ""
    return quoted

"""How the migrations of a folder are named: its convention, inferred from its files or set.

A tool that keeps books of its files (drizzle's journal, Prisma's table) knows them by their names:
no such file is ever to be renamed.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache

from d1_preflight.lazy_dataclass import dataclass

_WORDS = "(?P<words>[A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)*)"
_NUMBERED = re.compile(f"(?P<number>[0-9]+)(?P<after>[_-]){_WORDS}")
_LEAST_STAMP = 8
_HOUSE_DIGITS = 4
_STAMPS = {
    8: ("YYYYMMDD", "%Y%m%d"),
    12: ("YYYYMMDDHHMM", "%Y%m%d%H%M"),
    14: ("YYYYMMDDHHMMSS", "%Y%m%d%H%M%S"),
}
_SECONDS, _MILLISECONDS = 10, 13


class Names(StrEnum):
    """What `[lint] names` may say; "" is the convention of the folder's own files."""

    INFERRED = ""
    NUMBERS = "numbers"
    HYPHENS = "hyphens"
    TIMESTAMPS = "timestamps"
    FOLDERS = "folders"
    DRIZZLE = "drizzle"
    PRISMA = "prisma"


class HeaderPlace(StrEnum):
    """Where the header stands; "" is the file, and the record for what a tool keeps books of."""

    BY_TOOL = ""
    FILE = "file"
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class Convention:
    """One way to name migrations; `digits` is 0 for numbers that are not padded.

    `separator` stands behind the number, `between` between the words. With `in_folder`, the name is
    that of the folder which holds `migration.sql`.
    """

    digits: int = _HOUSE_DIGITS
    separator: str = "_"
    between: str = "_"
    in_folder: bool = False

    @property
    def is_stamped(self) -> bool:
        """Whether the numbers are times."""
        return self.digits >= _LEAST_STAMP

    @property
    def shown(self) -> str:
        """For people: `NNNN_descriptive_action.sql`."""
        number = "N" * (self.digits or 1)
        if self.is_stamped:
            number = _STAMPS[self.digits][0] if self.digits in _STAMPS else "TIMESTAMP"
        end = "/migration.sql" if self.in_folder else ".sql"
        return f"{number}{self.separator}descriptive{self.between}action{end}"

    def fits(self, name: str) -> bool:
        """Whether a migration is named so; the house's own numbers want two words or more."""
        digits = f"{{{self.digits}}}" if self.digits else "+"
        word = "[a-z0-9]+" if self._is_house else "[A-Za-z0-9]+"
        more = "+" if self._is_house else "*"
        pattern = f"[0-9]{digits}{self.separator}{word}(?:{self.between}{word}){more}"
        return re.fullmatch(pattern, judged_part(name)) is not None

    def number(self, taken: Iterable[int], now: datetime) -> str:
        """The number of the next file: above all that are taken."""
        highest = max(taken, default=0)
        if not self.is_stamped:
            return str(highest + 1).zfill(self.digits)
        return str(max(_stamp(self.digits, now), highest + 1)).zfill(self.digits)

    def file(self, number: str, words: Sequence[str]) -> str:
        """The ledger's name of a file with this number and these words."""
        stem = f"{number}{self.separator}{self.between.join(words)}"
        return f"{stem}/migration.sql" if self.in_folder else f"{stem}.sql"

    @property
    def _is_house(self) -> bool:
        return (self.digits, self.separator, self.between) == (_HOUSE_DIGITS, "_", "_")


HOUSE = Convention()
"""The convention of a folder that shows no other: `NNNN_descriptive_action.sql`."""

_SET = {
    Names.NUMBERS: HOUSE,
    Names.HYPHENS: Convention(_HOUSE_DIGITS, "-", "-"),
    Names.TIMESTAMPS: Convention(14),
    Names.FOLDERS: Convention(14, in_folder=True),
    Names.DRIZZLE: HOUSE,
    Names.PRISMA: Convention(14, in_folder=True),
}


@dataclass(frozen=True, slots=True)
class Naming:
    """What a folder's files are judged by: the set convention, and the tool with books of them.

    `listed` are the files in the tool's books; None where they are all of the folder's. `header`
    is where [checklist] wants the header.
    """

    names: Names = Names.INFERRED
    tool: str = ""
    listed: frozenset[str] | None = None
    header: HeaderPlace = HeaderPlace.BY_TOOL

    def keeps(self, name: str) -> bool:
        """Whether a tool's books hold this file, so that its name must stay."""
        return self.tool != "" and (self.listed is None or name in self.listed)

    def gone_from(self, names: Iterable[str]) -> str:
        """What the tool's books list and is no file, in a sentence; "" where nothing is."""
        gone = sorted((self.listed or frozenset()) - set(names))
        return (
            f"{self.tool}'s journal lists files that are gone: {', '.join(gone)}." if gone else ""
        )

    def has_header(self, name: str) -> bool:
        """Whether this file is to hold its header itself."""
        if self.header is HeaderPlace.BY_TOOL:
            return not self.keeps(name)
        return self.header is HeaderPlace.FILE

    def convention(self, files: Iterable[str]) -> Convention:
        """The convention that is set, else the one that the files show."""
        return _SET.get(self.names) or inferred(tuple(sorted(files)))


def judged_part(name: str) -> str:
    """The part of a ledger's name that names the migration: the file, or the folder around it."""
    parts = name.removesuffix(".sql").split("/")
    in_folder = len(parts) > 1 and not parts[-1][:1].isdigit()
    return parts[-2] if in_folder else parts[-1]


def split_number(part: str) -> tuple[str, str]:
    """The number of a name, and its words."""
    found = re.match("([0-9]+)[_-](.*)", part, re.DOTALL)
    if found:
        return found[1], found[2]
    number, _, words = part.partition("_")
    return number, words


@lru_cache(maxsize=64)
def inferred(files: tuple[str, ...]) -> Convention:
    """The convention of most files; the house's where no other is shown.

    A form with plain numbers is a convention where two files share it; a time stamp, or a folder
    around the file, shows it alone.
    """
    found = [_shape(name, _padded_widths(files)) for name in files]
    votes = Counter(shape for shape in found if shape)
    if not votes:
        return HOUSE
    best, count = max(votes.items(), key=lambda item: (item[1], item[0] == HOUSE))
    is_enough = count > 1 or best.is_stamped or best.in_folder
    return best if is_enough and count * 2 >= len(files) else HOUSE


def _shape(name: str, padded: Collection[int]) -> Convention | None:
    part = judged_part(name)
    found = _NUMBERED.fullmatch(part)
    if found is None:
        return None
    separators = set(re.findall("[_-]", found["words"])) or {found["after"]}
    if len(separators) > 1:
        return None
    number = found["number"]
    width = len(number)
    is_padded = width in padded or width == _HOUSE_DIGITS or width >= _LEAST_STAMP
    in_folder = name.removesuffix(".sql").split("/")[-1] != part
    return Convention(width if is_padded else 0, found["after"], separators.pop(), in_folder)


def _padded_widths(files: Iterable[str]) -> frozenset[int]:
    numbers = (re.match("0[0-9]*", judged_part(name)) for name in files)
    return frozenset(len(found[0]) for found in numbers if found and len(found[0]) > 1)


def _stamp(digits: int, now: datetime) -> int:
    moment = now.astimezone(UTC)
    if digits in (_SECONDS, _MILLISECONDS):
        return int(moment.timestamp()) * (1 if digits == _SECONDS else 1000)
    layout = _STAMPS[digits][1] if digits in _STAMPS else "%Y%m%d%H%M%S"
    return int(f"{moment:{layout}}".ljust(digits, "0")[:digits])

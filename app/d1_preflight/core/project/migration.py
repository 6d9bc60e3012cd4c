"""A migration: one `.sql` file, its name, number, header and text."""

import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path, PurePath

from d1_preflight.core.errors import MigrationUnreadable, UsageError
from d1_preflight.core.project.naming import Naming
from d1_preflight.lazy_dataclass import dataclass, field

_DOWN_NAME = re.compile(r"(?:^|[./-])(?:down|undo|rollback)\.sql$", re.IGNORECASE)
_HEADER_LINE = re.compile(
    r"^--\s*(Migration|Description|Type|Rollback|CRITICAL)\s*:\s*(.*)$", re.IGNORECASE
)
DOWN_FOLDERS = ("down", ".down")
"""The folders of down files; the second where wrangler's pattern matches the first."""
_IN_FOLDER = "migration.sql"
_BESIDE = ("down.sql", ".down.sql")
_EFFECTS = re.compile(r"--\s*Effects\s*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Header:
    """The comment block on top, as the source document's template has it; "" where absent."""

    migration: str = ""
    description: str = ""
    type: str = ""
    rollback: str = ""
    critical: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """The template's fields that are absent or empty (`CRITICAL` is optional)."""
        fields = ("migration", "description", "type", "rollback")
        return tuple(name for name in fields if not getattr(self, name))


@dataclass(frozen=True, slots=True)
class Migration:
    """One migration file: `name` is the ledger's name (relative to the migrations folder).

    `naming` is what its folder's names are judged by.
    """

    name: str
    text: str
    sha256: str
    path: Path | None = None
    naming: Naming = field(default=Naming(), compare=False)

    @property
    def stem(self) -> str:
        """The name without `.sql`."""
        return self.name.removesuffix(".sql")

    @property
    def number(self) -> int | None:
        """The leading integer that decides wrangler's order, None where there is none."""
        return leading_number(self.name)

    @property
    def is_blank(self) -> bool:
        """Whether it holds nothing but blank lines and `--` comments."""
        lines = (line.strip() for line in self.text.lstrip("\ufeff").splitlines())
        return all(not line or line.startswith("--") for line in lines)

    @property
    def header(self) -> Header:
        """What the leading comment block declares."""
        return parse_header(self.text)

    @classmethod
    def from_text(cls, name: str, text: str, path: Path | None = None) -> "Migration":
        """Build one from text alone, as tests and `lint -` do."""
        return cls(name, text, sha256(text.encode()).hexdigest(), path)

    @classmethod
    def from_bytes(cls, name: str, data: bytes, path: Path | None = None) -> "Migration":
        """Decode strictly: wrangler would store U+FFFD for Latin-1 bytes (shown by a run)."""
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise MigrationUnreadable(
                f"{name} is not UTF-8 text (byte {error.start}).",
                hint="Save it as UTF-8; wrangler would replace the bytes by U+FFFD silently.",
            ) from error
        return cls(name, text, sha256(data).hexdigest(), path)


@dataclass(frozen=True, slots=True)
class UnreadableMigration:
    """A file that wrangler counts as a migration and that cannot be read: its row on the board.

    `problem` is a sentence for people; `hint` the next step.
    """

    name: str
    problem: str
    hint: str = ""
    path: Path | None = None


MigrationFile = Migration | UnreadableMigration
"""What one file among the migrations turned out to be."""


def names_meant(names: Sequence[str], wanted: str) -> Sequence[str]:
    """The migrations that a number, a stem or a name can mean."""
    exact = [n for n in names if wanted in (n, n.removesuffix(".sql"))]
    return exact or [n for n in names if n.startswith(wanted)]


def one_name(names: Sequence[str], wanted: str) -> str:
    """The one of them that is meant; raises UsageError where none or several are."""
    found = names_meant(names, wanted)
    if len(found) == 1:
        return found[0]
    if not found:
        close = ", ".join(names[-5:]) or "none"
        raise UsageError(f"There is no migration {wanted!r}.", hint=f"The latest: {close}")
    raise UsageError(f"{wanted!r} may mean: {', '.join(found)}.", hint="Name one in full.")


def looks_like_down(name: str) -> bool:
    """Whether a file among the migrations is a down migration, which wrangler would apply."""
    return _DOWN_NAME.search(name) is not None


def down_names(name: str) -> tuple[str, ...]:
    """Where the down file of a migration may lie, from the migrations folder; the best first.

    drizzle and Prisma take every folder there for a migration, so that the file of a migration with
    a folder of its own lies in it; the others are where earlier versions wrote it.
    """
    folder, _, file = name.rpartition("/")
    beside = tuple(f"{folder}/{down}" for down in _BESIDE) if file == _IN_FOLDER and folder else ()
    return (*beside, *(f"{down}/{name}" for down in DOWN_FOLDERS))


def undone_by(path: PurePath) -> tuple[PurePath, str] | None:
    """The folder and the name of the migration whose down file lies at `path`, None for no such."""
    above = path.parent
    if above.name in DOWN_FOLDERS:
        return above.parent, path.name
    if path.name in _BESIDE and above.name:
        return above.parent, f"{above.name}/{_IN_FOLDER}"
    if path.name == _IN_FOLDER and above.parent.name in DOWN_FOLDERS:
        return above.parent.parent, f"{above.name}/{_IN_FOLDER}"
    return None


def leading_number(name: str) -> int | None:
    """The integer before the first `_` of a ledger name's first part, as wrangler reads it."""
    match = re.match(r"\s*([+-]?[0-9]+)", name)
    return int(match.group(1)) if match else None


def ledger_key(name: str) -> tuple[tuple[int, int, bytes], ...]:
    """Sort key of wrangler's order: part by part, leading integer, then UTF-16 code units.

    Parts without a number come last.
    """
    return tuple(_part_key(part) for part in name.split("/"))


def _part_key(part: str) -> tuple[int, int, bytes]:
    number = leading_number(part)
    units = part.encode("utf-16-be", "surrogatepass")
    return (1, 0, units) if number is None else (0, number, units)


def is_header_line(line: str) -> bool:
    """Whether a comment is a field of the header, or the rule below it."""
    stripped = line.strip()
    is_field = _HEADER_LINE.match(stripped) or _EFFECTS.match(stripped)
    return bool(is_field) or re.fullmatch("-- ?={8,}", stripped) is not None


def parse_header(text: str) -> Header:
    """Read `-- Field: value` lines from the comment block before the first statement."""
    found: dict[str, str] = {}
    for line in text.lstrip("\ufeff").splitlines():
        stripped = line.strip()
        if stripped and not stripped.startswith("--"):
            break
        match = _HEADER_LINE.match(stripped)
        if match:
            found.setdefault(match.group(1).lower(), match.group(2).strip())
    return Header(**found)

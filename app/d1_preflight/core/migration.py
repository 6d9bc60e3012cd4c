"""A migration: one `.sql` file, its name, number, header and text."""

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from d1_preflight.core.errors import MigrationUnreadable

NAME_PATTERN = re.compile(r"^(?P<number>\d{4})_(?P<words>[a-z0-9]+(?:_[a-z0-9]+)+)\.sql$")
_HEADER_LINE = re.compile(
    r"^--\s*(Migration|Description|Type|Rollback|CRITICAL)\s*:\s*(.*)$", re.IGNORECASE
)


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
    """One migration file: `name` is the ledger's name (relative to the migrations folder)."""

    name: str
    text: str
    sha256: str
    path: Path | None = None

    @property
    def stem(self) -> str:
        """The name without `.sql`."""
        return self.name.removesuffix(".sql")

    @property
    def number(self) -> int | None:
        """The leading integer that decides wrangler's order, None where there is none."""
        return leading_number(self.name)

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


def leading_number(name: str) -> int | None:
    """The integer before the first `_` of a ledger name's first part, as wrangler reads it."""
    match = re.match(r"(\d+)", name)
    return int(match.group(1)) if match else None


def ledger_key(name: str) -> tuple[int, int, str]:
    """Sort key of wrangler's order: leading integer, then name; names without a number last."""
    number = leading_number(name)
    return (1, 0, name) if number is None else (0, number, name)


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

"""The shapes of project that practice lays down: the sample's schema and rows, other files.

The account is the same in each; what differs is who names the migrations, where they lie, and
whether a ledger is there.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from d1_preflight.core.project.migration import Migration

MIGRATIONS_DIR = (
    '"migrations_dir": "migrations", // files here are applied in order of their numbers'
)
"""The line of the sample's configuration that says where its migrations lie."""
_FIRST_MS, _DAY_MS = 1_709_543_564_000, 86_400_000
_DAYS = 28  # every month has them


class Like(StrEnum):
    """The project that a practice project is like."""

    SAMPLE = "sample"
    DRIZZLE = "drizzle"
    PRISMA = "prisma"
    MONOREPO = "monorepo"
    ADOPT = "adopt"


@dataclass(frozen=True, slots=True)
class Shape:
    """Where files lie and what they are called, from the project's folder.

    `home` is the folder of the configuration and the settings; `migrations_dir` what the
    configuration says of them; `books` the files that a tool keeps beside them. Without
    `has_ledger` the account has no ledger, and its first tables were made by no file.
    """

    folder: str
    named: Callable[[Migration], str]
    home: str = ""
    migrations_dir: str = MIGRATIONS_DIR
    settings: str = ""
    books: Callable[[Sequence[Migration]], Mapping[str, str]] = lambda _: {}
    keeps_header: bool = True
    has_ledger: bool = True

    def files(self, migrations: Sequence[Migration]) -> Iterator[tuple[str, str]]:
        """Every migration's path and text, and what the tool keeps of them."""
        for migration in migrations:
            if self.has_ledger or migration is not migrations[0]:
                text = migration.text if self.keeps_header else _without_header(migration.text)
                yield f"{self.folder}/{self.named(migration)}", text
        yield from self.books(migrations).items()

    def at_home(self, name: str) -> str:
        """A file of the configuration's folder, from the project's."""
        return f"{self.home}/{name}" if self.home else name


def _without_header(text: str) -> str:
    """What a tool generates begins with a statement."""
    lines = text.splitlines(keepends=True)
    first = next((n for n, line in enumerate(lines) if line.strip() and line[:2] != "--"), 0)
    return "".join(lines[first:])


def _words(migration: Migration) -> str:
    return migration.stem.partition("_")[2]


def _by_name(migration: Migration) -> str:
    return migration.name


def _by_drizzle(migration: Migration) -> str:
    return f"{(migration.number or 1) - 1:04d}_{_words(migration)}.sql"


def _journal(migrations: Sequence[Migration]) -> Mapping[str, str]:
    entries = [
        {
            "idx": (migration.number or 1) - 1,
            "version": "6",
            "when": _FIRST_MS + _DAY_MS * (migration.number or 0),
            "tag": _by_drizzle(migration).removesuffix(".sql"),
            "breakpoints": True,
        }
        for migration in migrations
    ]
    journal = {"version": "7", "dialect": "sqlite", "entries": entries}
    return {"drizzle/meta/_journal.json": f"{json.dumps(journal, indent=2)}\n"}


def _by_prisma(migration: Migration) -> str:
    month, day = divmod(migration.number or 0, _DAYS)
    return f"2024{month + 1:02d}{day + 1:02d}091244_{_words(migration)}/migration.sql"


SHAPES: Mapping[Like, Shape] = {
    Like.SAMPLE: Shape("migrations", _by_name),
    Like.DRIZZLE: Shape(
        "drizzle", _by_drizzle, migrations_dir='"migrations_dir": "drizzle",', books=_journal,
        keeps_header=False,
    ),
    Like.PRISMA: Shape(
        "prisma/migrations", _by_prisma,
        migrations_dir='"migrations_dir": "prisma/migrations",\n'
        '      "migrations_pattern": "prisma/migrations/*/migration.sql",',
        books=lambda _: {"prisma/migrations/migration_lock.toml": 'provider = "sqlite"\n'},
        keeps_header=False,
    ),
    Like.MONOREPO: Shape(
        "packages/db/migrations", _by_name, home="apps/api", migrations_dir="",
        settings='\n[migrations]\nfolder = "../../packages/db/migrations"\n',
    ),
    Like.ADOPT: Shape("migrations", _by_name, has_ledger=False),
}  # fmt: skip
"""How each project is laid down."""

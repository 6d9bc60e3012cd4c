"""Lays down the sample project and its account: files, history, rows, pending migrations."""

import shutil
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import apsw

from d1_preflight.core.errors import ProjectError, UsageError
from d1_preflight.core.project.migration import Migration, leading_number
from d1_preflight.practice.rows import fill, fill_after
from d1_preflight.practice.shapes import MIGRATIONS_DIR, SHAPES, Like, Shape
from d1_preflight.practice.worker import CURRENT

LAST_OF_HISTORY = 56
CHOICES = ("0057", "0058", "0059", "0060", "0061", "0062", "0063")
STATE = ".practice"
_LIKE = "like"
_NEXT = "next"
_LEDGER = (
    'CREATE TABLE "d1_migrations"(\n'
    "    id         INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "    name       TEXT UNIQUE,\n"
    "    applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL\n)"
)
# Verbatim, 0061 empties team_members, and 0062 would have nothing to change: where it counts as
# applied before, the account went the safe way.
_SAFE_0061 = "ALTER TABLE teams DROP COLUMN deprecated_column;"
_FIRST_APPLIED = datetime(2024, 3, 4, 9, 12, 44, tzinfo=UTC)


def lay_down(
    directory: Path,
    *,
    next: str = "0061",  # noqa: A002 - the word for it
    like: Like = Like.SAMPLE,
) -> Path:
    """Write the project and the account's state, once; the folder of the state.

    `next` is the number of the first pending migration. The state's folder appears last and
    whole, so that an interrupted start begins again.
    """
    if next not in CHOICES:
        raise UsageError(
            f"{next} is not a pending migration of the practice project.",
            hint=f"Choose one of {', '.join(CHOICES)}.",
        )
    state = directory / STATE
    if state.exists():
        return state
    _refuse_foreign(directory)
    _write_files(directory, SHAPES[like])
    unfinished = directory / f"{STATE}.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    (unfinished / _LIKE).write_text(like.value, encoding="utf-8")
    (unfinished / _NEXT).write_text(next, encoding="utf-8")
    _build(unfinished / "d1.sqlite", int(next), SHAPES[like])
    unfinished.rename(state)
    return state


def refuse_other_choices(directory: Path, *, next: str, like: str) -> None:  # noqa: A002
    """Raise where a project is there that was laid down with other choices; "" is none."""
    laid = {"--next": next_of(directory), "--like": _laid(directory, _LIKE)}
    for option, chosen in (("--next", next), ("--like", like)):
        if chosen and laid[option] and chosen != laid[option]:
            raise UsageError(
                f"{directory} was made with {option} {laid[option]} and continues from there: "
                f"{option} {chosen} needs a new project.",
                hint=f"Name another folder: preflight practice FOLDER {option} {chosen}. "
                f"Or remove {directory} first.",
            )


def next_of(directory: Path) -> str:
    """The number that a project was laid down with; "" where there is none, or it does not say."""
    return _laid(directory, _NEXT)


def _laid(directory: Path, choice: str) -> str:
    known = directory / STATE / choice
    return known.read_text(encoding="utf-8") if known.exists() else ""


def shape_of(directory: Path) -> Shape:
    """How a project was laid down; the first ones do not say, and are like the sample."""
    known = directory / STATE / _LIKE
    return SHAPES[Like(known.read_text(encoding="utf-8")) if known.exists() else Like.SAMPLE]


def first_commit(directory: Path) -> tuple[tuple[str, ...], ...]:
    """What git is asked to put the project under git; nothing where that was done."""
    if (directory / ".git").exists():
        return ()
    identity = ("-c", "user.name=Practice", "-c", "user.email=practice@workway.example")
    return (
        ("init", "--quiet", "--initial-branch=main"),
        ("add", "--all"),
        (*identity, "-c", "commit.gpgsign=false", "commit", "--quiet", "-m", CURRENT.message),
    )


def migrations() -> tuple[Migration, ...]:
    """The sample project's migrations, in order."""
    folder = files("d1_preflight.practice").joinpath("sample", "migrations")
    found = [Migration.from_bytes(file.name, file.read_bytes()) for file in folder.iterdir()]
    return tuple(sorted(found, key=lambda migration: migration.name))


def _refuse_foreign(directory: Path) -> None:
    """Never overwrite a person's files: the folder is new, empty, or our interrupted start."""
    if (directory / f"{STATE}.part").exists():
        return
    try:
        found = sorted(path.name for path in directory.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        raise ProjectError(
            f"{directory} cannot be used: {error.strerror}.",
            hint="Name an empty or a new folder for the practice project.",
        ) from error
    if found:
        raise ProjectError(
            f"{directory} is not empty ({found[0]}), and is not a practice project.",
            hint="Name an empty or a new folder: preflight practice FOLDER",
        )


def _write_files(directory: Path, shape: Shape) -> None:
    (directory / f"{STATE}.part").mkdir(parents=True, exist_ok=True)
    sample = files("d1_preflight.practice").joinpath("sample")
    for name in ("wrangler.jsonc", "package.json", "src/index.ts", "gitignore"):
        text = sample.joinpath(*name.split("/")).read_text("utf-8")
        if name == "wrangler.jsonc":
            text = text.replace(MIGRATIONS_DIR, shape.migrations_dir)
        _write(directory, ".gitignore" if name == "gitignore" else shape.at_home(name), text)
    for name, text in shape.files(migrations()):
        _write(directory, name, text)


def _write(directory: Path, name: str, text: str) -> None:
    target = directory / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


def _build(path: Path, first_pending: int, shape: Shape) -> None:
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "off")
    connection.pragma("foreign_keys", value=True)
    connection.execute(_LEDGER)
    filled = False
    for migration in (m for m in migrations() if (m.number or 0) < first_pending):
        if (migration.number or 0) > LAST_OF_HISTORY and not filled:
            fill(connection)
            filled = True
        _apply(connection, migration, shape.named(migration))
    if not filled:
        fill(connection)
    if not shape.has_ledger:
        connection.execute("DROP TABLE d1_migrations")
    connection.close()


def _apply(connection: apsw.Connection, migration: Migration, name: str) -> None:
    number = leading_number(migration.name) or 0
    days = number * 17 + number % 5
    applied_at = (_FIRST_APPLIED + timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S")
    with connection:
        connection.execute(_SAFE_0061 if number == int("0061") else migration.text)
        connection.execute(
            "INSERT INTO d1_migrations (name, applied_at) VALUES (?, ?)",
            (name, applied_at),
        )
    fill_after(connection, migration.name)

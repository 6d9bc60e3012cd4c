"""Files of a stranger's pull request that could stop us, or take all memory."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from commands.hostile import CONFIG, TABLES
from example_record import EXAMPLE

Make = Callable[[Path], None]
RECORD = "checklists/marketplace-production/0061_rebuild_teams_remove_deprecated"
MIGRATION = "migrations/0002_more.sql"
MANY = 9_900_000
DOTTED = ".".join("a" * 100_000) + " = 1\n"
DEEP = "[" * 100_000
SMALL = "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT);\n"


def project(root: Path) -> Path:
    """A project with one migration and one record."""
    (root / "migrations").mkdir(parents=True)
    (root / "migrations" / "0001_make_teams.sql").write_text(TABLES)
    (root / "wrangler.jsonc").write_text(CONFIG)
    shutil.copytree(EXAMPLE, root / RECORD)
    return root


def link(name: str, to: str) -> Make:
    """A link in place of a file or folder."""

    def make(root: Path) -> None:
        _free(root / name).symlink_to(to)

    return make


def fifo(name: str) -> Make:
    """A pipe that nobody writes to."""
    return lambda root: os.mkfifo(_free(root / name))


def text(name: str, content: str) -> Make:
    """A text, made when it is needed."""

    def make(root: Path) -> None:
        _free(root / name).write_text(content)

    return make


def sparse(size: int, *names: str) -> Make:
    """Files that are long and cost nothing."""

    def make(root: Path) -> None:
        for name in names:
            with _free(root / name).open("wb") as file:
                file.truncate(size)

    return make


def flood(content: Callable[[], str]) -> Make:
    """A migration whose text is made when it is needed."""

    def make(root: Path) -> None:
        text(MIGRATION, content())(root)

    return make


def record(pattern: str, by: str) -> Make:
    """The record with other values."""

    def make(root: Path) -> None:
        path = root / RECORD / "record.toml"
        path.write_text(re.sub(pattern, by, path.read_text()))

    return make


def many(count: int) -> Make:
    """So many migrations."""

    def make(root: Path) -> None:
        for number in range(count):
            (root / "migrations" / f"{number + 2:05}_a.sql").write_text("SELECT 1;")

    return make


def toml_config(content: str) -> Make:
    """A wrangler.toml in place of the configuration."""

    def make(root: Path) -> None:
        (root / "wrangler.jsonc").unlink()
        (root / "wrangler.toml").write_text(content)

    return make


def _free(path: Path) -> Path:
    """The place of a file, with nothing there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    return path


def _numbered(line: str, count: int, first: str = "") -> str:
    return first + "".join(line.format(i=i, j=i + 1) for i in range(count))


_EVERYWHERE = '"migrations_dir": "/", "migrations_pattern": "/**/*.sql"'
_NINE = tuple(f"migrations/{n:04}_a.sql" for n in range(2, 12))
_ALLOW = "-- preflight: allow cascade-delete — x\n"
_VIEWS = SMALL + "CREATE VIEW v0 AS SELECT * FROM t;\n"
_VIEW = "CREATE VIEW v{j} AS SELECT a.* FROM v{i} a, v{i} b;\n"
_RECURSION = (
    "INSERT INTO t(id) WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) "
    "SELECT n FROM c;\n"
)
FLOODS: dict[str, Callable[[], str]] = {
    "10 MB of (": lambda: "(" * MANY,
    "10 MB of ;": lambda: ";" * MANY,
    "10 MB of words": lambda: "a " * (MANY // 2),
    "10 MB of allow comments": lambda: _ALLOW * (MANY // len(_ALLOW.encode())),
    "10 MB of quotes": lambda: "'" * MANY,
    "20,000 tables": lambda: _numbered("CREATE TABLE x{i}(a);\n", 20_000),
    "20,000 indexes": lambda: _numbered("CREATE INDEX i{i} ON t(a);\n", 20_000, SMALL),
    "20,000 refused statements": lambda: _numbered("DROP TABLE x{i};\n", 20_000),
    "views of views": lambda: _numbered(_VIEW, 60, _VIEWS) + "SELECT * FROM v60;",
    "endless recursion": lambda: SMALL + _RECURSION * 20,
    "blobs": lambda: SMALL + "INSERT INTO t(a) VALUES (hex(zeroblob(1000000)));\n" * 300,
    "one long string": lambda: f"{SMALL}INSERT INTO t(a) VALUES ('{'x' * MANY}');",
    "deep CASE": lambda: "SELECT " + "CASE WHEN 1 THEN " * 500_000,
}
FILES: dict[str, Make] = {
    "preflight.toml to a device": link("preflight.toml", "/dev/zero"),
    "preflight.toml to a file outside": link("preflight.toml", "/etc/passwd"),
    "preflight.toml to nowhere": link("preflight.toml", "nowhere"),
    "preflight.toml as a pipe": fifo("preflight.toml"),
    "preflight.toml of 1 GB": sparse(1_000_000_000, "preflight.toml"),
    "preflight.toml, a key of many parts": text("preflight.toml", DOTTED),
    "preflight.toml, deep": text("preflight.toml", f"a = {DEEP}"),
    "preflight.toml, 400 digits": text("preflight.toml", f"[data]\ncopy_limit_mb = {'9' * 400}\n"),
    "preflight.toml, 1e999999999": text("preflight.toml", "[data]\ncopy_limit_mb = 1e999999999\n"),
    "wrangler.jsonc to a device": link("wrangler.jsonc", "/dev/zero"),
    "wrangler.jsonc to a file outside": link("wrangler.jsonc", "/etc/passwd"),
    "wrangler.jsonc as a pipe": fifo("wrangler.jsonc"),
    "wrangler.jsonc of 1 GB": sparse(1_000_000_000, "wrangler.jsonc"),
    "wrangler.jsonc, deep": text("wrangler.jsonc", f'{{"a": {DEEP}'),
    "wrangler.toml, a key of many parts": toml_config(DOTTED),
    "migrations to /dev": link("migrations", "/dev"),
    "migrations everywhere": text(
        "wrangler.jsonc",
        CONFIG.replace('"binding"', f'{_EVERYWHERE}, "binding"'),
    ),
    "migration to a device": link(MIGRATION, "/dev/zero"),
    "migration as a pipe": fifo(MIGRATION),
    "migration of 1 GB": sparse(1_000_000_000, MIGRATION),
    "ten migrations of 9 MB": sparse(9_000_000, *_NINE),
    "20,000 migrations": many(20_000),
    "down file as a pipe": fifo("migrations/down/0001_make_teams.sql"),
    "checklist to a device": link("checklists/d1.toml", "/dev/zero"),
    "checklist as a pipe": fifo("checklists/d1.toml"),
    "checklist, a key of many parts": text("checklists/d1.toml", DOTTED),
    "signers to a device": link("checklists/allowed_signers", "/dev/zero"),
    "signers as a pipe": fifo("checklists/allowed_signers"),
    "signers of 1 GB": sparse(1_000_000_000, "checklists/allowed_signers"),
    "record to a device": link(f"{RECORD}/record.toml", "/dev/zero"),
    "record as a pipe": fifo(f"{RECORD}/record.toml"),
    "record of 1 GB": sparse(1_000_000_000, f"{RECORD}/record.toml"),
    "record, 400 digits": record(r"(?m)(?<= = )\d+$", "9" * 400),
    "record, the largest number": record(r"(?m)(?<= = )\d+$", str(2**63 - 1)),
    "record, no number": record(r"(?m)(?<= = )\d+$", "inf"),
    "record, the year 1": record('"2026-', '"0001-'),
    "record, a key of many parts": text(f"{RECORD}/record.toml", DOTTED),
    "record, deep": text(f"{RECORD}/record.toml", f"a = {DEEP}"),
    "go.toml, deep": text(f"{RECORD}/go.toml", f"a = {DEEP}"),
    "evidence to a device": link(f"{RECORD}/evidence/zero", "/dev/zero"),
    "evidence as a pipe": fifo(f"{RECORD}/evidence/pipe"),
    "evidence of 1 GB": sparse(1_000_000_000, f"{RECORD}/evidence/large"),
    "evidence of 5 × 60 MB": sparse(60_000_000, *(f"{RECORD}/evidence/{n}" for n in range(5))),
    "records in a circle": link("checklists/other", ".."),
    "package.json to a device": link("node_modules/wrangler/package.json", "/dev/zero"),
    "package.json as a pipe": fifo("node_modules/wrangler/package.json"),
    "package.json, deep": text("node_modules/wrangler/package.json", DEEP),
    ".env to a device": link(".env", "/dev/zero"),
    ".env as a pipe": fifo(".env"),
    "wrangler's cache to a device": link(".wrangler/cache/wrangler-account.json", "/dev/zero"),
    "wrangler's cache, deep": text(".wrangler/cache/wrangler-account.json", DEEP),
    "workspace to a device": link(".preflight", "/dev/zero"),
    **{name: flood(make) for name, make in FLOODS.items()},
}  # fmt: skip

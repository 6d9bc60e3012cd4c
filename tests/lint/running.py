"""Runs the command line in this process and keeps what it prints; builds folders and judgements."""

import contextlib
import io
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from d1_preflight.cli import main
from d1_preflight.core.findings import Analysis, Effects, Finding, Kind, Reason, Risk, Severity
from d1_preflight.core.project.migration import Migration
from d1_preflight.lint.judged import Judged

USERS = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);\n"
POSTS = (
    "CREATE TABLE posts (id INTEGER PRIMARY KEY,\n"
    "  user_id INTEGER REFERENCES users(id) ON DELETE CASCADE);\n"
)
REBUILD = (
    "CREATE TABLE users_new (id INTEGER PRIMARY KEY, name TEXT);\n"
    "INSERT INTO users_new SELECT id, name FROM users;\n"
    "DROP TABLE users;\n"
    "ALTER TABLE users_new RENAME TO users;\n"
)


@dataclass(frozen=True, slots=True)
class Ran:
    """How a run ended, and what it wrote."""

    code: int
    out: str
    err: str


def preflight(*words: str, stdin: bytes = b"") -> Ran:
    """Run the program; a usage error of argparse is exit code 2 as for anybody."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _stdin(stdin):
        try:
            code = main(words)
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Ran(code, out.getvalue(), err.getvalue())


def folder(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files below `root`; returns it."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def judged(
    text: str, *findings: Finding, path: str = "migrations/0061_rebuild_teams.sql"
) -> Judged:
    """A judgement made by hand, so that a form can be held to the letter."""
    analysis = Analysis(
        kind=Kind.DESTRUCTIVE,
        risk=Risk.HIGH,
        rollback="irreversible",
        reasons=(Reason('Deletes rows of "members" (by cascade).', 3),),
        effects=Effects(rows_deleted_in=("members",)),
        findings=findings,
    )
    return Judged(path, Migration.from_text("0061_rebuild_teams.sql", text), analysis)


def finding(
    line: int, column: int, end_line: int, end_column: int, severity: Severity = Severity.BLOCKING
) -> Finding:
    """A finding at a place."""
    return Finding(
        rule="cascade-delete",
        severity=severity,
        line=line,
        column=column,
        end_line=end_line,
        end_column=end_column,
        title="Dropping the parent deletes its children's rows",
        message='DROP TABLE "teams" deletes every row of "members" through ON DELETE CASCADE. '
        "D1 keeps foreign keys on, so the file succeeds and the rows are gone.",
        instead=("Park the children first.", "Rehearse with rows in every table."),
        tables=("teams", "members"),
    )


@contextlib.contextmanager
def _stdin(data: bytes) -> Iterator[None]:
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(data), encoding="utf-8")
    try:
        yield
    finally:
        sys.stdin = before

"""The contract: the stand-in's engine and real local D1 give the same answers, word for word."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from d1_preflight.adapters.wrangler.toolchain import Toolchain
from d1_preflight.core.project.migration import ledger_key
from d1_preflight.core.sql.tokenizer import statements
from d1_preflight.practice.engine import Database
from d1_preflight.practice.results import StatementRefused

pytestmark = pytest.mark.wrangler
CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
SCHEMA = (
    "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE '#_cf#_%' ESCAPE '#'"
    " AND name NOT LIKE 'sqlite#_%' ESCAPE '#' ORDER BY type, name"
)
# kentcdodds/kody gives json_object more arguments than the documented 32 of remote D1.
BEYOND_REMOTE = "0026-drop-legacy-inline-sources.sql"
FAMILY = (
    "CREATE TABLE parent (id INTEGER PRIMARY KEY);"
    "CREATE TABLE child (p INTEGER REFERENCES parent(id) ON DELETE CASCADE);"
    "INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (1), (1), (2);"
)
CASES = (
    "SELECT 1 AS a, 2 AS a, NULL AS n, 'ü''' AS t, x'00ff' AS b, 1.0 AS r, 0.1 AS s, 9e999 AS i",
    "SELECT 9007199254740993 AS a, 9007199254740992 AS b, -9223372036854775808 AS c",
    f"{FAMILY} PRAGMA foreign_keys=OFF; PRAGMA foreign_keys; DROP TABLE parent; TABLE child;",
    f"{FAMILY} DELETE FROM parent WHERE id = 1; SELECT count(*) AS n FROM child;",
    f"{FAMILY} INSERT OR REPLACE INTO parent VALUES (1); SELECT count(*) AS n FROM child;",
    f"{FAMILY} INSERT INTO child VALUES (9);",
    f"{FAMILY} PRAGMA defer_foreign_keys=on; INSERT INTO child VALUES (9);",
    f"{FAMILY} ALTER TABLE parent RENAME TO old; PRAGMA foreign_key_list(child);",
    "CREATE TABLE t (a UNIQUE, b CHECK (b > 0)); INSERT INTO t VALUES (1, 1), (1, 1);",
    "CREATE TABLE t (a UNIQUE, b CHECK (b > 0)); INSERT INTO t VALUES (1, -1);",
    (
        "CREATE TABLE t (a INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO t DEFAULT VALUES;"
        " SELECT * FROM sqlite_sequence; DELETE FROM sqlite_sequence;"
    ),
    "CREATE TABLE t (a NOT NULL); INSERT INTO t VALUES (NULL);",
    "CREATE TABLE t (a); INSERT INTO t VALUES (1); ALTER TABLE t ADD COLUMN b NOT NULL;",
    "CREATE TABLE t (a, b); CREATE INDEX i ON t (b); ALTER TABLE t DROP COLUMN b;",
    "CREATE TABLE t (a, b); ALTER TABLE t RENAME b TO c; PRAGMA table_info(t); SELECT c FROM t;",
    "CREATE TABLE t (a); ALTER TABLE t ALTER COLUMN a SET NOT NULL;",
    "CREATE TABLE t (a); ALTER TABLE t ADD CONSTRAINT k CHECK (a > 1);",
    (
        "CREATE TABLE t (a); CREATE TRIGGER g BEFORE DELETE ON t BEGIN"
        " SELECT RAISE(ABORT, 'no; way'); END; INSERT INTO t VALUES (1); DELETE FROM t;"
    ),
    "CREATE TABLE t (a) STRICT;",
    "CREATE TABLE t (a INT, b ANY) STRICT; INSERT INTO t VALUES ('x', 1);",
    "CREATE VIEW v AS SELECT * FROM nowhere; CREATE TABLE t (a); ALTER TABLE t RENAME TO u;",
    "CREATE VIRTUAL TABLE v USING fts5(a); INSERT INTO v VALUES ('x'); SELECT * FROM v('x');",
    "CREATE VIRTUAL TABLE v USING fts4(a);",
    "CREATE TEMP TABLE t (a);",
    "ATTACH 'x' AS x;",
    "VACUUM;",
    "BEGIN;",
    "SELECT 1; commit;",
    "SAVEPOINT s;",
    "PRAGMA journal_mode;",
    "PRAGMA user_version = 1;",
    "PRAGMA integrity_check;",
    "PRAGMA quick_check; PRAGMA foreign_key_check; ANALYZE; REINDEX;",
    "SELECT * FROM pragma_database_list;",
    "SELECT sqlite_version();",
    "SELECT ceiling(1.5);",
    "SELECT json_pretty('{}');",
    "SELECT soundex('x');",
    "SELECT 'a' REGEXP 'b';",
    "SELECT * FROM dbstat;",
    "DELETE FROM sqlite_schema;",
    "CREATE TABLE sqlite_x (a);",
    "CREATE TABLE _cf_x (a);",
    "SELECT '" + "x" * 100_000 + "';",
    f"CREATE TABLE t ({', '.join(f'c{n}' for n in range(101))});",
    f"SELECT {', '.join('1' * 101)};",
    "SELECT " + " + ".join("1" * 102),
    " UNION ".join(["SELECT 1"] * 6),
    f"SELECT 'a' LIKE '{'x' * 51}';",
    "selec 1",
    "SELECT nothing FROM (SELECT 1 AS one)",
    "EXPLAIN QUERY PLAN SELECT 1",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 4) SELECT n FROM r",
    "UPDATE nowhere SET a = 1",
)


def on_workerd(toolchain: Toolchain, cases: list[list[list[str]]]) -> list[Any]:
    (wrangler,) = (word for word in toolchain.argv if "wrangler" in Path(word).parts[-3:])
    script = Path(__file__).with_name("local_d1.mjs")
    done = subprocess.run(
        (str(toolchain.node), str(script), wrangler),
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def on_ours(database: Database, texts: list[str]) -> dict[str, Any]:
    try:
        results = database.query("".join(texts))
    except StatementRefused as refused:
        return {"error": refused.message}
    return {
        "rows": [list(result.rows) for result in results],
        "changes": [result.meta.changes for result in results],
        "last_row_id": [result.meta.last_row_id for result in results],
    }


def as_javascript_reads(outcome: Any) -> Any:
    text = json.dumps(outcome, sort_keys=True)
    return json.loads(re.sub(r"reference = \w+", "reference = …", text), parse_int=float)


def pieces(sql: str) -> list[str]:
    return [statement.text for statement in statements(sql)]


def test_every_case_ends_as_on_real_local_d1(wrangler_command: Toolchain) -> None:
    real = on_workerd(wrangler_command, [[pieces(case)] for case in CASES])
    assert len(real) == len(CASES)
    for case, (expected,) in zip(CASES, real, strict=True):
        ours = on_ours(Database(Path(":memory:")), pieces(case))
        assert as_javascript_reads(ours) == as_javascript_reads(expected), case[:200]


@pytest.mark.matrix
def test_real_projects_migrations_end_as_on_real_local_d1(wrangler_command: Toolchain) -> None:
    if not CORPUS.is_dir():
        pytest.skip("the corpus of real migrations lies outside the repository")
    projects = [
        sorted(folder.rglob("*.sql"), key=lambda file: ledger_key(file.name))
        for folder in sorted(CORPUS.iterdir())
        if folder.is_dir()
    ]
    texts = [[pieces(file.read_text(errors="replace")) for file in files] for files in projects]
    ended = on_workerd(
        wrangler_command, [[t or ["SELECT 1"] for t in case] + [[SCHEMA]] for case in texts]
    )
    assert sum(map(len, projects)) > 700
    for files, case, real in zip(projects, texts, ended, strict=True):
        database, differs = Database(Path(":memory:")), False
        for file, text, expected in zip(files, case, real[:-1], strict=True):
            error = on_ours(database, text).get("error")
            differs |= file.name == BEYOND_REMOTE
            assert file.name == BEYOND_REMOTE or error == expected.get("error"), file
        if not differs:
            assert on_ours(database, [SCHEMA])["rows"] == real[-1]["rows"]

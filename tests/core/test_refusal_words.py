"""A refusal is told in names: what a row holds never gets into a record."""

import apsw
import pytest

from d1_preflight.core.engine.trial import run_as_d1
from d1_preflight.core.ports import Evidence
from d1_preflight.core.sql.refusal_words import constraint_words, error_words
from d1_preflight.core.target.wrangler_output import explain_failure

SECRET = "ana@secret.example"
SCHEMA = f"""
CREATE TABLE t(id INTEGER PRIMARY KEY, e TEXT);
CREATE TABLE strict_t(i INTEGER) STRICT;
CREATE TABLE u(e TEXT UNIQUE);
CREATE TABLE n(e TEXT NOT NULL);
CREATE TABLE c(e TEXT, CHECK (length(e) < 3));
CREATE TABLE named(e TEXT, CONSTRAINT short CHECK (length(e) < 3));
CREATE TABLE p(e TEXT REFERENCES u(e));
CREATE TABLE told(e TEXT);
CREATE TRIGGER g BEFORE INSERT ON told BEGIN SELECT RAISE(ABORT, 'no ' || NEW.e); END;
INSERT INTO t(e) VALUES ('{SECRET}'), ('{SECRET}');
"""
ACCOUNT = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("INSERT INTO u SELECT e FROM t", "UNIQUE constraint failed: u.e"),
        ("INSERT INTO n SELECT nullif(e, e) FROM t", "NOT NULL constraint failed: n.e"),
        ("INSERT INTO c SELECT e FROM t", "CHECK constraint failed"),
        ("INSERT INTO named SELECT e FROM t", "CHECK constraint failed: short"),
        ("INSERT INTO p SELECT e FROM t", "FOREIGN KEY constraint failed"),
        ("INSERT INTO strict_t SELECT e FROM t", "cannot store TEXT value in INTEGER column"),
        ("INSERT INTO t(id) SELECT e FROM t", "datatype mismatch"),
        ("INSERT INTO told SELECT e FROM t", "a constraint or a trigger refuses a row"),
        ("CREATE UNIQUE INDEX i ON t(e)", "UNIQUE constraint failed: t.e"),
        ("UPDATE t SET id = json_extract('{}', e)", "bad JSON path"),
        ("SELECT missing FROM t", "no such column: missing"),
    ],
)
def test_a_migration_on_rows_is_refused_without_them(sql: str, told: str) -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(SCHEMA)
    verdict = run_as_d1(connection, f"{sql};", "0001_a.sql", ledger="l", clock=lambda: 0.0)
    [refusal, *_] = verdict.refused
    assert refusal.reason.startswith(told), refusal.reason
    assert SECRET not in refusal.reason


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("no ana@secret.example: SQLITE_CONSTRAINT_TRIGGER", "SQLITE_CONSTRAINT_TRIGGER"),
        ("UNIQUE constraint failed: t.e: SQLITE_CONSTRAINT", "UNIQUE constraint failed: t.e"),
        ("no such table: users: SQLITE_ERROR", "no such table: users"),
    ],
)
def test_what_d1_answers_is_told_without_rows(told: str, kept: str) -> None:
    text = f'{{"error": {{"text": "A request failed", "notes": [{{"text": "{told}"}}]}}}}'
    error = explain_failure(Evidence(("wrangler", "d1"), 1, 5, stdout=text))
    assert kept in error.message
    assert SECRET not in error.message


def test_the_account_is_in_no_reason() -> None:
    path = f"/accounts/{ACCOUNT}/d1/database/x/query"
    text = f"A request to the Cloudflare API ({path}) failed."
    for printed in (
        Evidence(("wrangler",), 1, 5, stdout=f'{{"error": {{"text": "{text}"}}}}'),
        Evidence(("wrangler",), 1, 5, stderr=f"\n✘ [ERROR] {text}\n\n  it is so [code: 7000]\n"),
    ):
        error = explain_failure(printed)
        assert ACCOUNT not in f"{error.message} {error.hint}"


def test_the_configuration_that_wrangler_refuses_is_told_whole() -> None:
    stderr = (
        "\n\x1b[31m✘ \x1b[41;31m[\x1b[41;97mERROR\x1b[41;31m]\x1b[0m \x1b[1mProcessing "
        'wrangler.toml configuration:\x1b[0m\n\n    - \x1b[1mRemoved\x1b[0m: "node_compat":\n'
        '      The "node_compat" field is no longer supported as of Wrangler v4. Instead, use the '
        "`nodejs_compat` compatibility flag.\n\n\n🪵  Logs were written to x\n"
    )
    error = explain_failure(Evidence(("wrangler", "d1"), 1, 5, stderr=stderr))
    assert "wrangler refuses wrangler.toml" in error.message
    assert "no longer supported as of Wrangler v4" in error.message
    assert "nodejs_compat" in error.message


def test_words_that_are_known_stay() -> None:
    assert constraint_words("UNIQUE constraint failed: a.b, a.c") == (
        "UNIQUE constraint failed: a.b, a.c"
    )
    assert error_words("no such function: f") == "no such function: f"
    assert SECRET not in constraint_words(f"CHECK constraint failed: e <> '{SECRET}'")
    assert SECRET not in constraint_words(f"UNIQUE constraint failed: {SECRET} is there")

"""An intended loss, declared in the file: lint passes it and says so, and nothing larger."""

import json
from pathlib import Path

import pytest

from lint.running import POSTS, USERS, folder, preflight

PASSKEY = "CREATE TABLE passkey (id INTEGER PRIMARY KEY, name TEXT, secret TEXT);\n"
EMPTY = "DELETE FROM passkey;\n"
SAID = "-- preflight: loses passkey — the old keys are void\n"
REASON = "the old keys are void"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    return folder(tmp_path, {"m/0001_a_b.sql": USERS + POSTS + PASSKEY})


def run(here: Path, sql: str, form: str = "json") -> tuple[int, str]:
    folder(here, {"m/0002_a_b.sql": sql})
    ran = preflight("lint", "m/0002_a_b.sql", "--format", form)
    return ran.code, ran.out + ran.err


@pytest.mark.parametrize(
    ("said", "sql"),
    [
        ("loses passkey — x", EMPTY),
        ('loses "passkey": x', EMPTY),
        ("loses PassKey -- x", "DROP TABLE passkey;\n"),
        (
            "loses users — x\n-- preflight: loses posts — y",
            "DROP TABLE posts;\nDROP TABLE users;\n",
        ),
        ("loses posts — x", "DELETE FROM users WHERE id = 1;\n"),
        ("loses passkey.secret — x", "ALTER TABLE passkey DROP COLUMN secret;\n"),
        ("loses passkey — x", "ALTER TABLE passkey DROP COLUMN secret;\n"),
    ],
)
def test_a_declared_loss_passes(here: Path, said: str, sql: str) -> None:
    assert run(here, sql + f"-- preflight: {said}\n")[0] == 0


@pytest.mark.parametrize(
    ("said", "sql"),
    [
        ("loses passkey", EMPTY),
        ("loses passkey.secret — x", EMPTY),
        ("loses passkeys — x", EMPTY),
        ("loses users — x", "DROP TABLE users;\n"),
        ("loses users — x", "DELETE FROM users WHERE id = 1;\n"),
        ("loses passkey — x", EMPTY + "DELETE FROM users;\n"),
        ("loses passkey — x", EMPTY + "ALTER TABLE gone ADD COLUMN x TEXT;\n"),
    ],
)
def test_a_larger_loss_does_not(here: Path, said: str, sql: str) -> None:
    assert run(here, sql + f"-- preflight: {said}\n")[0] == 1


def test_text_that_is_no_comment_declares_nothing(here: Path) -> None:
    sql = "INSERT INTO users(name) VALUES ('-- preflight: loses passkey — x');\n"
    assert run(here, sql + EMPTY)[0] == 1


def test_a_declaration_in_another_file_declares_nothing(here: Path) -> None:
    folder(here, {"m/0001_a_b.sql": SAID + USERS + POSTS + PASSKEY})
    assert run(here, EMPTY)[0] == 1


def test_every_form_shows_it(here: Path) -> None:
    sql = SAID + EMPTY
    code, text = run(here, sql, "text")
    assert code == 0
    assert "declared blocking[delete-without-where]" in text
    assert f"declared here: {REASON}" in text
    assert "1 declared in the file" in text
    [found] = json.loads(preflight("lint", "m/0002_a_b.sql", "--format", "json").out)["migrations"]
    loss = next(f for f in found["findings"] if f["rule"] == "delete-without-where")
    assert (loss["declared"], found["class"]) == (REASON, "destructive")
    _, sarif = run(here, sql, "sarif")
    results = json.loads(sarif.partition("preflight lint:")[0])["runs"][0]["results"]
    suppressed = [result["suppressions"] for result in results if "suppressions" in result]
    assert suppressed == [[{"kind": "inSource", "justification": f"declared loss: {REASON}"}]]
    _, github = run(here, sql, "github")
    assert "::notice file=m/0002_a_b.sql" in github
    assert f"Declared in the file: {REASON}" in github

"""Whatever bytes a file holds, lint answers: clear, findings, or a usage error; never our bug."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from law_size import examples
from lint.running import USERS, preflight

WORDS = st.sampled_from(
    [
        "CREATE TABLE ", "DROP TABLE ", "users", "a(", ")", ";", "'", '"', "`", "[", "]", "/*",
        "*/", "--", "\n", "\r\n", "\0", "\ufeff", "{x}", "%", "::", "BEGIN", "END", "INSERT INTO ",
        "SELECT ", "REFERENCES ", "TRIGGER ", "ALTER TABLE ", "\x1b[31m", "é", "\u202e", "名",
        "💥", ",", "\ufffd",
    ]
)  # fmt: skip
TEXTS = st.lists(WORDS, max_size=30).map(lambda parts: "".join(parts).encode())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bytes")
    (root / "1_users.sql").write_text(USERS)
    return root / "2_x.sql"


@example(data="\ufeff--".encode(), form="text")
@example(data="\ufeff/* a */".encode(), form="text")
@example(data="\ufeff/*".encode(), form="text")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(200))
@given(data=st.one_of(st.binary(max_size=300), TEXTS), form=st.sampled_from(["text", "github"]))
def test_any_bytes_are_answered(place: Path, data: bytes, form: str) -> None:
    place.write_bytes(data)
    ran = preflight("lint", str(place), "--format", form)
    assert ran.code in {0, 1}
    assert all(char.isprintable() or char == "\n" for char in ran.out)
    ran.out.encode()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(150))
@given(data=st.one_of(st.binary(max_size=300), TEXTS))
def test_all_forms_agree(place: Path, data: bytes) -> None:
    place.write_bytes(data)
    as_json = preflight("lint", str(place), "--format", "json")
    as_sarif = preflight("lint", str(place), "--format", "sarif")
    assert as_json.code == as_sarif.code
    [migration] = json.loads(as_json.out)["migrations"]
    results = json.loads(as_sarif.out)["runs"][0]["results"]
    assert {f["rule"] for f in migration["findings"]} == {r["ruleId"] for r in results}
    blocking = [f for f in migration["findings"] if f["severity"] == "blocking"]
    assert as_json.code == int(bool(blocking) or migration["class"] == "unknown")


@given(words=st.lists(st.text(max_size=8).filter(lambda word: "\0" not in word), max_size=3))
@settings(max_examples=examples(100))
def test_any_words_are_answered(words: list[str]) -> None:
    assert preflight("lint", "--", *words, "no/such/file.sql").code == 2
    assert preflight("explain", "--", "no-such-rule", *words).code == 2

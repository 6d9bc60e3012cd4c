"""What wrangler answers is read, however it is wrapped, and every known failure is explained."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d1_preflight.core.errors import PreflightError, ProjectError, RemoteFailed
from d1_preflight.core.ports import Evidence
from d1_preflight.core.target.wrangler_output import (
    explain_failure,
    may_have_arrived,
    parse_execute,
)

ANSWER = [{"results": [{"a": 1}], "success": True, "meta": {"duration": 0}}]
REFUSED = 'near "selec": syntax error at offset 0: SQLITE_ERROR'


def failed(stdout: str = "", stderr: str = "", *, exit_code: int | None = 1) -> PreflightError:
    argv = ("wrangler", "d1", "execute", "shop", "--remote")
    return explain_failure(Evidence(argv, exit_code, 1500, {}, stdout, stderr))


def api_error(text: str, *notes: str, **more: object) -> str:
    error = {"text": text, "notes": [{"text": note} for note in notes], **more}
    return "\n" + json.dumps({"error": error}, indent=2) + "\n"


def screen(text: str, *notes: str) -> str:
    """An error as wrangler draws it on standard error."""
    head = f"\x1b[31m✘ \x1b[41;31m[\x1b[41;97mERROR\x1b[41;31m]\x1b[0m \x1b[1m{text}\x1b[0m\n\n"
    return head + "".join(f"  {note}\n" for note in notes) + "\n\n"


def test_each_statement_has_its_rows() -> None:
    text = json.dumps([*ANSWER, {"results": [], "success": True, "meta": {"changes": 2}}])
    first, second = parse_execute(text)
    assert (first.rows, second.rows, second.meta) == (({"a": 1},), (), {"changes": 2})


def test_spinner_lines_before_and_notices_after_are_passed_over() -> None:
    text = "├ 🌀 Uploading…\n│\n[not json\n" + json.dumps(ANSWER, indent=2) + "\nA newer version…"
    assert parse_execute(text)[0].rows == ({"a": 1},)


def test_no_statements_are_no_results() -> None:
    assert parse_execute("[]\n") == ()


@given(st.lists(st.text().filter(lambda line: line[:1] not in ("[", "{", '"'))), st.text())
def test_prose_around_the_json_changes_nothing(before: list[str], after: str) -> None:
    prose = "".join(f"- {' '.join(line.split())}\n" for line in before)
    assert parse_execute(f"{prose}{json.dumps(ANSWER, indent=2)}\n{after}")[0].rows == ({"a": 1},)


@given(st.text())
def test_any_output_is_results_or_a_clear_failure(text: str) -> None:
    told: object = ""
    try:
        told = parse_execute(text)
    except RemoteFailed as error:
        told = error.message
    assert isinstance(told, tuple) or told


@pytest.mark.parametrize(
    "stdout",
    [
        api_error(REFUSED),
        api_error("A request to the Cloudflare API failed.", f"{REFUSED} [code: 7500]", code=7500),
    ],
)
def test_a_refused_statement_names_the_reason_of_the_database(stdout: str) -> None:
    with pytest.raises(RemoteFailed) as raised:
        parse_execute(stdout)
    assert raised.value.message == f"The database refused the statement: {REFUSED}."


def test_a_bare_string_is_an_error() -> None:
    with pytest.raises(RemoteFailed, match="Error: can't provide both"):
        parse_execute('"Error: can\'t provide both --command and --file."')


def test_a_result_that_did_not_succeed_is_no_result() -> None:
    with pytest.raises(RemoteFailed, match="statement 2 did not succeed"):
        parse_execute(json.dumps([*ANSWER, {"results": [], "success": False, "meta": {}}]))


@pytest.mark.parametrize("stdout", ["", "\n", "Executing…", '[{"results": 1, "success": true}]'])
def test_output_without_results_is_never_an_empty_result(stdout: str) -> None:
    with pytest.raises(RemoteFailed):
        parse_execute(stdout)


@pytest.mark.parametrize(
    ("stdout", "stderr", "words", "step"),
    [
        ("", screen("it's necessary to set a CLOUDFLARE_API_TOKEN"), "no login", "wrangler login"),
        ('{\n  "loggedIn": false\n}\n', "", "no login", "wrangler login"),
        (
            api_error("A request failed.", "Authentication error [code: 10000]", code=10000),
            "",
            "refused the login",
            "whoami",
        ),
        (
            "│ table │",
            screen("A request failed.", "Authentication error [code: 10000]"),
            "refused the login",
            "whoami",
        ),
        (
            api_error("A request failed.", "The database x could not be found [code: 7404]"),
            "",
            "no database with the id",
            "another account",
        ),
        (api_error("fetch failed"), "", "could not be reached", "network"),
        ("", screen("fetch failed"), "could not be reached", "check the database"),
        (
            api_error("A request failed.", retryAfterMs=7000),
            "",
            "limits the request rate",
            "in 7 s",
        ),
        (
            "",
            screen("A request failed.", "please wait 7 second(s)"),
            "limits the request rate",
            "in 7 s",
        ),
        (
            "",
            screen("Received a malformed response from the API", "POST /x -> 502 Bad Gateway"),
            "failing (502 Bad Gateway)",
            "cloudflarestatus",
        ),
        (
            "",
            screen("A request failed.", f"{REFUSED} [code: 7500]"),
            REFUSED,
            "bug of preflight",
        ),
        ("", screen("A request failed.", "database is locked: SQLITE_BUSY"), "locked", "Stop"),
    ],
)
def test_a_known_failure_has_a_sentence_and_a_step(
    stdout: str, stderr: str, words: str, step: str
) -> None:
    error = failed(stdout, stderr)
    assert isinstance(error, RemoteFailed)
    assert words in error.message
    assert step in error.hint


@pytest.mark.parametrize(
    "text",
    [
        "Couldn't find a D1 DB with the name or binding 'x' in your wrangler.toml file.",
        "No configuration file found. Create a wrangler.jsonc",
        "No migrations present at /app/migrations.",
        "More than one account available but unable to select one",
    ],
)
def test_a_failure_of_the_project_is_told_as_one(text: str) -> None:
    error = failed(stderr=screen(text))
    assert isinstance(error, ProjectError)
    assert error.hint


def test_a_name_in_the_sql_is_not_taken_for_another_failure() -> None:
    reason = "no such table: rate_limits_fetch failed: SQLITE_ERROR"
    message = failed(
        stdout="│ 0007_429_too_many_requests.sql │",
        stderr=screen("A request failed.", f"{reason} [code: 7500]"),
    ).message
    assert message == f"The database refused the statement: {reason}."


def test_an_unknown_failure_is_told_in_wranglers_words() -> None:
    assert failed(stderr=screen("Unknown argument: x")).message == "Unknown argument: x."


def test_a_silent_failure_names_command_and_exit_code() -> None:
    assert failed().message == "wrangler d1 execute shop ended with exit code 1 and gave no reason."


def test_an_end_that_was_not_seen_is_unknown() -> None:
    assert "may have taken effect" in failed(exit_code=None).hint


def test_a_command_over_its_time_is_unknown() -> None:
    evidence = Evidence(("wrangler", "d1"), -2, 120_000, timed_out=True)
    error = explain_failure(evidence)
    assert "within 120 s" in error.message
    assert "may have taken effect" in error.hint


@pytest.mark.parametrize(
    ("exit_code", "stderr", "arrived"),
    [
        (1, "✘ [ERROR] A fetch request failed\nfetch failed", True),
        (1, "✘ [ERROR] other side closed", True),
        (1, "✘ [ERROR] Received a malformed response\n POST /query -> 502 Bad Gateway", True),
        (-9, "", True),
        (1, "", True),
        (1, "✘ [ERROR] something nobody has seen", True),
        (1, "✘ [ERROR] D1_ERROR: internal error; reference = abc [code: 7500]", True),
        (0, "", False),
        (1, "✘ [ERROR] No configuration file found", False),
        (None, "", True),
        (1, '✘ [ERROR] near "x": syntax error: SQLITE_ERROR [code: 7500]', False),
        (1, "✘ [ERROR] please wait 7 second(s), 429 Too Many Requests", False),
        (1, "✘ [ERROR] Authentication error [code: 10000]", False),
    ],
)
def test_only_an_answer_says_that_a_write_did_not_arrive(
    exit_code: int | None, stderr: str, *, arrived: bool
) -> None:
    ran = Evidence(("wrangler", "d1"), exit_code, 1200, {}, "", stderr)
    assert may_have_arrived(ran) is arrived

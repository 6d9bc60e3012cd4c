import time

import httpx
import pytest

from d1_preflight.core.errors import UsageError
from d1_preflight.practice.faults import Fault, FaultKind, Scope
from practice.conftest import Client


def test_a_fault_is_read_from_words() -> None:
    assert Fault.parse("api-down") == Fault(FaultKind.API_DOWN)
    assert Fault.parse("dies-mid-apply") == Fault(FaultKind.DIES_MID_APPLY, Scope.APPLY)
    assert Fault.parse("slow, milliseconds=20, count=2") == Fault(FaultKind.SLOW, Scope.ALL, 2, 20)
    assert Fault.parse("unauthorized,scope=apply").scope is Scope.APPLY


@pytest.mark.parametrize("text", ["", "broken", "slow,often=2", "slow,count=x", "slow,count"])
def test_what_is_not_a_fault_is_refused_with_the_list(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Fault.parse(text)
    assert "dies-mid-apply" in caught.value.hint


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("unauthorized", 401, 10000),
        ("forbidden", 403, 10000),
        ("rate-limited", 429, 7429),
        ("server-error", 500, 7500),
    ],
)
def test_an_error_is_answered_as_cloudflare_would(
    client: Client, fault: str, status: int, code: int
) -> None:
    client.running.server.faults.set([Fault.parse(f"{fault},count=1")])
    answer = client.query("SELECT 1")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code)
    assert (fault == "rate-limited") == ("Retry-After" in answer.headers)
    assert client.query("SELECT 1").status_code == 200


def test_api_down_closes_the_connection_as_often_as_told(client: Client) -> None:
    client.running.server.faults.set([Fault.parse("api-down,count=2")])
    for _ in range(2):
        with pytest.raises(httpx.TransportError):
            client.query("SELECT 1")
    assert client.query("SELECT 1").status_code == 200


def test_slow_answers_late(client: Client) -> None:
    client.running.server.faults.set([Fault.parse("slow,milliseconds=150")])
    begun = time.monotonic()
    assert client.query("SELECT 1").status_code == 200
    assert time.monotonic() - begun >= 0.15


@pytest.mark.parametrize(("fault", "recorded"), [("dies-mid-apply", True), ("lost-before", False)])
def test_a_cut_connection_says_nothing_about_what_was_done(
    client: Client, fault: str, *, recorded: bool
) -> None:
    client.running.server.faults.set([Fault.parse(fault)])
    with pytest.raises(httpx.TransportError):
        client.apply("0061")
    assert ("0061_rebuild_teams_remove_deprecated.sql" in client.ledger()) is recorded
    assert (client.count("team_members") == 0) is recorded


def test_fails_mid_apply_leaves_nothing_behind(client: Client) -> None:
    client.running.server.faults.set([Fault.parse("fails-mid-apply")])
    assert client.apply("0061").status_code == 500
    tables = [row["name"] for row in client.rows("SELECT name FROM sqlite_schema")]
    assert "teams_new" not in tables
    assert client.ledger()[-1].startswith("0060")


def test_faults_of_the_apply_spare_all_other_calls(client: Client) -> None:
    client.running.server.faults.set([Fault.parse("lost-before,count=1")])
    assert client.count("teams") == 112
    assert client.query("INSERT INTO plan_limits VALUES ('x', 1, 1.0)").status_code == 200
    with pytest.raises(httpx.TransportError):
        client.apply("0062")
    assert client.apply("0062").status_code == 200


def test_faults_can_be_switched_while_it_runs(client: Client) -> None:
    address = f"{client.running.server.origin}/practice/faults"
    post = client.anybody.post
    assert post(address, json={"faults": ["forbidden"]}).status_code == 200
    assert client.query("SELECT 1").status_code == 403
    assert client.worker("/health").status_code == 200
    post(address, json={"faults": []})
    assert client.query("SELECT 1").status_code == 200
    assert post(address, json={"faults": ["nonsense"]}).status_code == 400

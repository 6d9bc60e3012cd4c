import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import httpx
import pytest

from d1_preflight.practice.state import ACCOUNT_ID
from d1_preflight.practice.worker import CURRENT, PLAIN, RENAMED
from practice.conftest import TRUSTED, Client, Laid

TABLES = (
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '#_cf#_%' ESCAPE '#'"
)


def test_a_file_and_its_ledger_row_are_one_transaction(client: Client) -> None:
    assert client.apply("0063").json()["errors"] == [
        {
            "code": 7500,
            "message": "UNIQUE constraint failed: workflow_runs.workflow_id,"
            " workflow_runs.started_at: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)",
        }
    ]
    assert client.ledger()[-1].startswith("0060")
    columns = client.rows("PRAGMA table_info(workflow_runs)")
    assert "seconds" not in [column["name"] for column in columns]


def test_the_rebuild_succeeds_and_empties_its_child(client: Client) -> None:
    assert (client.count("teams"), client.count("team_members")) == (112, 1_204)
    assert client.apply("0061").status_code == 200
    assert (client.count("teams"), client.count("team_members")) == (112, 0)
    assert client.rows("PRAGMA foreign_key_check") == []
    assert client.ledger()[-1] == "0061_rebuild_teams_remove_deprecated.sql"


def test_of_two_applies_at_once_one_wins(client: Client) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: client.apply("0062").status_code, range(4)))
    assert sorted(answers) == [200, 400, 400, 400]
    assert client.ledger().count("0062_migrate_role_format.sql") == 1


def test_time_travel_restores_rows_and_ledger_and_can_be_undone(client: Client) -> None:
    before, ledger = client.bookmark(), client.ledger()
    client.apply("0061")
    answer = client.d1("POST", f"/time_travel/restore?bookmark={before}").json()["result"]
    assert (client.count("team_members"), client.ledger()) == (1_204, ledger)
    assert client.bookmark() == answer["bookmark"] not in (before, answer["previous_bookmark"])
    client.d1("POST", f"/time_travel/restore?bookmark={answer['previous_bookmark']}")
    assert client.count("team_members") == 0


def test_a_moment_has_the_bookmark_it_had(client: Client) -> None:
    before, moment = client.bookmark(), datetime.now(UTC)
    client.apply("0061")
    after = client.bookmark()
    earlier = (moment - timedelta(days=2)).isoformat().replace("+00:00", "Z")
    for asked, mark in ((moment.isoformat(), before), (earlier, before)):
        answer = client.d1("GET", f"/time_travel/bookmark?timestamp={asked.replace('+', '%2B')}")
        assert answer.json()["result"]["bookmark"] == mark
    assert after != before
    long_ago = client.d1("GET", "/time_travel/bookmark?timestamp=2020-01-01T00:00:00Z")
    assert (long_ago.status_code, long_ago.json()["success"]) == (400, False)


def test_an_unknown_bookmark_restores_nothing(client: Client) -> None:
    assert client.d1("POST", "/time_travel/restore?bookmark=00000009-no").status_code == 400
    assert client.count("team_members") == 1_204


def test_an_export_rebuilds_the_same_database(client: Client) -> None:
    first = client.d1("POST", "/export", {"output_format": "polling", "dump_options": {}})
    progress = first.json()["result"]
    assert progress["status"] == "active"
    body = {"dump_options": {}, "current_bookmark": progress["at_bookmark"]}
    finished = client.d1("POST", "/export", body).json()["result"]
    sql = client.anybody.get(finished["result"]["signed_url"]).text
    copy = apsw.Connection(":memory:")
    copy.execute(sql)
    for row in client.rows(TABLES):
        quoted = "SELECT * FROM " + '"' + row["name"] + '"'
        original = apsw.Connection(str(client.running.project / ".practice/d1.sqlite"))
        assert copy.execute(quoted).fetchall() == original.execute(quoted).fetchall()
    unsigned = finished["result"]["signed_url"].split("?")[0]
    assert client.anybody.get(unsigned).status_code == 404


def test_an_import_is_kept_whole_or_not_at_all(client: Client) -> None:
    for sql, kept in (("INSERT INTO plan_limits VALUES ('a', 1, 1.0); selec", 3),
                      ("INSERT INTO plan_limits VALUES ('a', 1, 1.0);", 4)):  # fmt: skip
        tag = hashlib.md5(sql.encode(), usedforsecurity=False).hexdigest()
        begun = client.d1("POST", "/import", {"action": "init", "etag": tag}).json()["result"]
        put = client.anybody.put(begun["upload_url"], content=sql.encode())
        assert put.headers["ETag"] == f'"{tag}"'
        ingest = {"action": "ingest", "filename": begun["filename"], "etag": tag}
        progress = client.d1("POST", "/import", ingest).json()["result"]
        poll = {"action": "poll", "current_bookmark": progress["at_bookmark"]}
        done = client.d1("POST", "/import", poll).json()["result"]
        assert done["success"] is (kept == 4)
        assert client.count("plan_limits") == kept


def test_without_the_token_there_is_no_answer(client: Client) -> None:
    for path in ("/user", f"/accounts/{ACCOUNT_ID}/d1/database", "/graphql"):
        answer = client.anybody.get(client.api + path, headers={"Authorization": "Bearer someone"})
        assert answer.status_code == 401
        assert answer.json()["errors"][0]["code"] == 10000
    assert client.http.get(f"{client.api}/accounts/other/d1/database").status_code == 403


def test_what_is_not_served_is_said_so(client: Client) -> None:
    assert client.call("GET", "/d1/database/other").json()["errors"][0]["code"] == 7404
    assert client.call("GET", "/workers/scripts/other/deployments").status_code == 404
    assert client.call("GET", "/r2/buckets").json()["success"] is False
    assert client.http.post(f"{client.api}/graphql", content=b"{no json").status_code == 400


def test_a_rollback_changes_what_the_worker_answers(client: Client) -> None:
    client.apply("0061")
    broken = client.worker("/users/me")
    assert (broken.status_code, broken.json()) == (500, {"error": "user without a team"})
    body = {"strategy": "percentage", "versions": [{"version_id": PLAIN.id, "percentage": 100}]}
    client.call("POST", "/workers/scripts/workway-api/deployments", body)
    assert client.worker("/users/me").json()["email"] == "user0@team0.example"
    listed = client.call("GET", "/workers/scripts/workway-api/deployments").json()["result"]
    newest = max(listed["deployments"], key=lambda made: made["created_on"])
    assert newest["versions"] == [{"version_id": PLAIN.id, "percentage": 100}]


def test_the_renamed_column_breaks_the_old_code_only(client: Client) -> None:
    assert client.worker("/users/me").status_code == 200
    body = {"versions": [{"version_id": CURRENT.id, "percentage": 100}]}
    client.call("POST", "/workers/scripts/workway-api/deployments", body)
    broken = client.worker("/users/me")
    assert (broken.status_code, "old_name" in broken.json()["error"]) == (500, True)
    body = {"versions": [{"version_id": RENAMED.id, "percentage": 100}]}
    client.call("POST", "/workers/scripts/workway-api/deployments", body)
    assert client.worker("/users/me").status_code == 200


def test_the_worker_knows_its_callers(client: Client) -> None:
    assert client.worker("/health").json() == {"ok": True}
    assert client.worker("/users/me", "nobody").status_code == 401
    assert client.worker("/elsewhere").status_code == 404
    assert client.worker("/users/me").json()["role"] == "OWNER"
    client.query("DROP TABLE sessions")
    assert client.worker("/users/me").status_code == 500


def test_the_webhook_keeps_what_slack_would_take(client: Client) -> None:
    hook = client.running.environment["PREFLIGHT_WEBHOOK"]
    assert client.anybody.post(hook, json={"text": "0061 at 14:20"}).text == "ok"
    assert client.anybody.post(hook, json={"txt": "x"}).text == "no_text"
    assert client.anybody.post(hook, content=b"not json").status_code == 400
    assert client.anybody.post(f"{hook}x", json={"text": "guessed"}).status_code == 404
    assert [message.text for message in client.running.server.cloud.messages] == ["0061 at 14:20"]


SERVED = """
import signal, sys
from pathlib import Path
from d1_preflight.practice.server import Server
print(Server(Path(sys.argv[1])).start().origin, flush=True)
signal.pause()
"""


@pytest.mark.matrix  # the suite has it of one that was ended: test_practice_project
def test_a_killed_stand_in_has_kept_what_it_answered(tmp_path: Path, laid: Laid) -> None:
    state = laid(tmp_path / "p")
    marks, counts = [], []
    for sql in ("DELETE FROM webhook_deliveries WHERE id > 9", "SELECT 1"):
        with subprocess.Popen(
            (sys.executable, "-c", SERVED, str(state)),
            stdout=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdout
            origin = child.stdout.readline().strip()
            base = f"{origin}/client/v4/accounts/{ACCOUNT_ID}/d1/database/marketplace-production"
            token = {"Authorization": "Bearer practice-token-that-opens-nothing-real-0"}
            http = httpx.Client(headers=token, verify=TRUSTED)
            assert http.post(f"{base}/query", json={"sql": sql}).is_success
            count = {"sql": "SELECT count(*) AS n FROM webhook_deliveries"}
            found = http.post(f"{base}/query", json=count).json()
            counts.append(found["result"][0]["results"][0]["n"])
            got = http.get(f"{base}/time_travel/bookmark").json()
            marks.append(got["result"]["bookmark"])
            os.kill(child.pid, signal.SIGKILL)
    assert counts == [9, 9]
    assert marks[0] == marks[1]
    assert re.match(r"00000001-", marks[0])


@pytest.mark.parametrize("length", ["-5", "999999999999", "many"])
def test_a_nonsense_length_is_refused(client: Client, length: str) -> None:
    port = int(client.running.server.origin.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
        head = f"POST /hooks/x HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
        raw.sendall(head.encode())
        assert re.match(rb"HTTP/1.1 4\d\d", raw.recv(100))


def test_every_call_of_the_api_is_remembered_in_order(client: Client) -> None:
    client.bookmark()
    client.query("SELECT 1")
    database = "/accounts/0123456789abcdef0123456789abcdef/d1/database"
    assert [
        call.replace(database, "").split("/", 2)[2] for call in client.running.server.requests
    ] == [
        "time_travel/bookmark",
        "query",
    ]

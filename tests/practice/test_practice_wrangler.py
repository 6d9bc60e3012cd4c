"""The real wrangler, every command that the wizard uses, against the stand-in."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest

from d1_preflight.adapters.wrangler.runner import command_environment
from d1_preflight.adapters.wrangler.toolchain import Toolchain
from d1_preflight.practice import run
from d1_preflight.practice.faults import Fault
from d1_preflight.practice.project import LAST_OF_HISTORY, migrations
from d1_preflight.practice.worker import CURRENT, PLAIN, RENAMED
from practice.conftest import Client, client_of

pytestmark = pytest.mark.wrangler
DB = "marketplace-production"
SCHEMA = (
    "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite#_%' ESCAPE '#'"
    " AND name NOT LIKE '#_cf#_%' ESCAPE '#' AND tbl_name <> 'd1_migrations' ORDER BY name"
)


@dataclass(frozen=True)
class Wrangler:
    """The toolchain's wrangler in the practice project, with the practice environment."""

    client: Client
    toolchain: Toolchain

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        practice = self.client.running
        return subprocess.run(
            (*self.toolchain.argv, *arguments),
            cwd=practice.project,
            env=command_environment(practice.environment, self.toolchain),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def json(self, *arguments: str) -> Any:
        done = self(*arguments, "--json")
        assert done.returncode == 0, done
        return json.loads(done.stdout)


@pytest.fixture
def start(
    tmp_path: Path, wrangler_command: Toolchain, no_login: None
) -> Iterator[Callable[[str], Wrangler]]:
    del no_login
    started: list[run.Practice] = []

    def begin(chosen: str) -> Wrangler:
        started.append(run.start(tmp_path / "project", next=chosen))
        return Wrangler(client_of(started[-1]), wrangler_command)

    yield begin
    for running in started:
        running.server.close()


@pytest.mark.matrix  # the walks of tests/flow ask what they need
def test_every_reading_command_is_answered(start: Callable[[str], Wrangler]) -> None:
    wrangler = start("0060")
    readings = (
        ("d1", "migrations", "list", DB, "--remote"),
        ("d1", "execute", DB, "--remote", "--json", "--command=SELECT 1 AS one; SELECT 2 AS two"),
        ("d1", "info", DB, "--json"),
        ("d1", "list", "--json"),
        ("d1", "time-travel", "info", DB, "--json"),
        ("d1", "time-travel", "info", DB, "--json", "--timestamp=2026-11-20T10:00:00Z"),
        ("deployments", "list", "--json"),
        ("deployments", "list"),
        ("deployments", "status", "--json"),
        ("deployments", "status"),
        ("versions", "list", "--json"),
        ("versions", "list"),
        ("whoami", "--json"),
        ("whoami",),
        ("d1", "insights", DB, "--json"),
    )
    with ThreadPoolExecutor(3) as pool:
        done = dict(zip(readings, pool.map(lambda words: wrangler(*words), readings), strict=True))
    assert {words: d.stderr for words, d in done.items() if d.returncode} == {}
    read = {words: d.stdout for words, d in done.items()}
    pending = re.findall(r"\d{4}_\w+\.sql", read[readings[0]])
    assert [name[:4] for name in pending] == ["0060", "0061", "0062", "0063"]
    items = json.loads(read[readings[1]])
    assert [item["results"] for item in items] == [[{"one": 1}], [{"two": 2}]]
    information = json.loads(read[readings[2]])
    assert (information["num_tables"], information["read_queries_24h"] > 0) == (15, True)
    assert [found["name"] for found in json.loads(read[readings[3]])] == [DB]
    assert all(query["numberOfTimesRun"] > 0 for query in json.loads(read[readings[-1]]))
    mark = {"bookmark": wrangler.client.bookmark()}
    assert json.loads(read[readings[4]]) == json.loads(read[readings[5]]) == mark
    deployed = [d["versions"][0]["version_id"] for d in json.loads(read[readings[6]])]
    assert deployed == [PLAIN.id, CURRENT.id]
    assert json.loads(read[readings[8]])["versions"][0]["version_id"] == CURRENT.id
    assert [v["id"] for v in json.loads(read[readings[10]])][-1] == RENAMED.id
    for place in (7, 9, 11):
        assert CURRENT.id in read[readings[place]]
    assert json.loads(read[readings[12]])["loggedIn"] is True


def test_apply_stops_at_the_broken_one_and_restore_brings_back(
    start: Callable[[str], Wrangler],
) -> None:
    wrangler = start("0061")
    before = wrangler.json("d1", "time-travel", "info", DB)["bookmark"]
    applied = wrangler("d1", "migrations", "apply", DB, "--remote")
    assert applied.returncode == 1
    assert "UNIQUE constraint failed: workflow_runs.workflow_id" in applied.stderr
    assert [name[:4] for name in wrangler.client.ledger()[-2:]] == ["0061", "0062"]
    assert wrangler.client.count("team_members") == 0
    restored = wrangler.json("d1", "time-travel", "restore", DB, f"--bookmark={before}")
    assert restored["bookmark"] == wrangler.client.bookmark()
    assert wrangler.client.count("team_members") == 1_204
    undo = f"--bookmark={restored['previous_bookmark']}"
    assert wrangler("d1", "time-travel", "restore", DB, undo).returncode == 0
    assert wrangler.client.count("team_members") == 0


def test_files_go_in_and_out(start: Callable[[str], Wrangler], tmp_path: Path) -> None:
    wrangler = start("0057")
    file, out = tmp_path / "in.sql", tmp_path / "out.sql"
    file.write_text("CREATE TABLE sent (a); INSERT INTO sent VALUES ('ü;''x');")
    sent = wrangler("d1", "execute", DB, "--remote", "--json", f"--file={file}")
    assert (sent.returncode, '"Total queries executed": 2' in sent.stdout) == (0, True)
    again = wrangler("d1", "execute", DB, "--remote", "--json", f"--file={file}")
    assert (again.returncode, "table sent already exists" in again.stdout) == (1, True)
    exported = wrangler("d1", "export", DB, "--remote", f"--output={out}", "--table=sent")
    assert exported.returncode == 0, exported
    copy = apsw.Connection(":memory:")
    copy.execute(out.read_text())
    assert copy.execute("SELECT a FROM sent").fetchall() == [("ü;'x",)]
    assert copy.execute("SELECT count(*) FROM sqlite_schema").fetchall() == [(1,)]


def test_a_rollback_puts_another_version_before_the_users(
    start: Callable[[str], Wrangler],
) -> None:
    wrangler = start("0060")
    assert wrangler.client.apply("0060").status_code == 200
    assert wrangler.client.worker("/users/me").status_code == 500
    done = wrangler("rollback", PLAIN.id, "--name", "workway-api")
    assert done.returncode == 0, done
    assert wrangler.client.worker("/users/me").status_code == 200
    status = wrangler.json("deployments", "status", "--name", "workway-api")
    assert status["versions"] == [{"version_id": PLAIN.id, "percentage": 100}]
    assert wrangler("rollback", "0-0", "--name", "workway-api").returncode == 1


def test_errors_reach_the_operator_as_cloudflare_s_would(
    start: Callable[[str], Wrangler],
) -> None:
    wrangler = start("0062")
    wrong = wrangler("d1", "execute", DB, "--remote", "--json", "--command=selec 1")
    notes = json.loads(wrong.stdout)["error"]["notes"]
    assert notes == [{"text": 'near "selec": syntax error at offset 0: SQLITE_ERROR [code: 7500]'}]
    wrangler.client.running.server.faults.set([Fault.parse("unauthorized")])
    refused = wrangler("d1", "execute", DB, "--remote", "--json", "--command=SELECT 1")
    assert json.loads(refused.stdout)["error"]["code"] == 10000
    wrangler.client.running.server.faults.set([Fault.parse("rate-limited")])
    slowed = wrangler("d1", "execute", DB, "--remote", "--json", "--command=SELECT 1")
    assert json.loads(slowed.stdout)["error"]["retryAfterMs"] == 7_000
    wrangler.client.running.server.faults.set([Fault.parse("dies-mid-apply,count=1")])
    died = wrangler("d1", "migrations", "apply", DB, "--remote")
    assert died.returncode == 1
    assert wrangler.client.ledger()[-1] == "0062_migrate_role_format.sql"


def test_the_sample_migrations_make_the_same_schema_on_real_local_d1(
    start: Callable[[str], Wrangler],
    tmp_path: Path,
) -> None:
    wrangler = start("0057")
    folder = wrangler.client.running.project / "migrations"
    for migration in migrations():
        if int(migration.name[:4]) <= LAST_OF_HISTORY:
            (folder / migration.name).unlink()
    history = tmp_path / "history.sql"
    history.write_text("".join(m.text for m in migrations() if int(m.name[:4]) <= LAST_OF_HISTORY))
    local = ("--local", f"--persist-to={tmp_path / 'local'}")
    assert wrangler("d1", "execute", DB, *local, "-y", f"--file={history}").returncode == 0
    applied = wrangler("d1", "migrations", "apply", DB, *local)
    assert applied.returncode == 0, applied
    (path,) = (tmp_path / "local" / "v3" / "d1").rglob("[0-9a-f]*.sqlite")
    real = apsw.Connection(str(path)).execute(SCHEMA).fetchall()
    ours = apsw.Connection(":memory:")
    ours.pragma("foreign_keys", value=True)
    for migration in migrations():
        ours.execute(migration.text)
    assert real == ours.execute(SCHEMA.replace("tbl_name <> 'd1_migrations'", "1")).fetchall()

"""A real remote apply that outlives us: it finishes, keeps its log, and keeps others out."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from adapters.fake_wrangler import until
from adapters.test_real_wrangler import CONFIG
from d1_preflight.adapters.wrangler.runner import RealWrangler, is_writing
from d1_preflight.adapters.wrangler.toolchain import Toolchain

PARENT = """
import asyncio, fcntl, json, os, sys
from pathlib import Path
from d1_preflight.adapters.wrangler.toolchain import Source, Toolchain
from d1_preflight.adapters.wrangler.runner import RealWrangler

folder, argv, environ = Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
chain = Toolchain(tuple(argv), "4.164.0", Source.OWN, folder / "cache")
wrangler = RealWrangler(
    lambda: chain, folder / "evidence", folder / "raw", environ, lock=lambda: lock
)
words = ("d1", "migrations", "apply", "shop-db", "--remote", f"--config={folder}/wrangler.jsonc")
asyncio.run(wrangler.run(words, cwd=folder, keep="09-apply", protect=True))
"""


class HeldApi(ThreadingHTTPServer):
    """Answers queries, but holds the answer to the migration until it is let go."""

    def __init__(self) -> None:
        self.applying, self.let_go = threading.Event(), threading.Event()
        super().__init__(("127.0.0.1", 0), Answers)


class Answers(BaseHTTPRequestHandler):
    server: HeldApi

    def do_POST(self) -> None:
        query = self.rfile.read(int(self.headers["content-length"]))
        if b"CREATE TABLE t" in query:
            self.server.applying.set()
            self.server.let_go.wait(30)
        result = [{"results": [], "success": True, "meta": {"duration": 0}}]
        answer = {"success": True, "errors": [], "messages": [], "result": result}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
        """Say nothing."""


@pytest.mark.wrangler
async def test_a_real_apply_outlives_us_and_holds_the_lock_to_its_end(
    tmp_path: Path, wrangler_command: Toolchain, quiet_environ: dict[str, str]
) -> None:
    (tmp_path / "wrangler.jsonc").write_text(CONFIG)
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations/0001_make_t.sql").write_text("CREATE TABLE t (id INTEGER);\n")
    with HeldApi() as api:
        threading.Thread(target=api.serve_forever, args=(0.01,)).start()
        environ = {
            **quiet_environ,
            "CLOUDFLARE_API_BASE_URL": f"http://127.0.0.1:{api.server_port}/client/v4",
            "CLOUDFLARE_API_TOKEN": "canary-token-1234",
            "CLOUDFLARE_ACCOUNT_ID": "0123456789abcdef0123456789abcdef",
        }
        words = (str(tmp_path), json.dumps(wrangler_command.argv), json.dumps(environ))
        kill_while_applying(words, api)
        lock = os.open(tmp_path / "lock", os.O_RDWR)
        held_after_our_death = not is_free(lock)
        seen_at_work = is_writing(tmp_path / "raw")
        api.let_go.set()
        await until(lambda: is_free(lock))
        api.shutdown()
    assert held_after_our_death
    assert seen_at_work
    wrangler = RealWrangler(lambda: wrangler_command, tmp_path / "evidence", tmp_path / "raw", {})
    assert not wrangler.is_writing()
    (log,) = wrangler.recover("apply")
    assert log.argv[:4] == ("wrangler", "d1", "migrations", "apply")
    assert log.exit_code is None
    assert set(log.files) == {"evidence/09-apply.out"}  # nothing was said on stderr
    assert "✅" in (tmp_path / "evidence/09-apply.out").read_text()


def kill_while_applying(words: tuple[str, ...], api: HeldApi) -> None:
    parent = subprocess.Popen((sys.executable, "-c", PARENT, *words))
    assert api.applying.wait(30)
    parent.send_signal(signal.SIGKILL)
    assert parent.wait() == -signal.SIGKILL


def is_free(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

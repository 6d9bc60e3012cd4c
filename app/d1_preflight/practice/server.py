"""The stand-in's HTTP server on 127.0.0.1: the API, the Worker, the webhook and the faults."""

import fcntl
import socket
import threading
from collections import deque
from contextlib import suppress
from email.message import Message as Headers
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import sleep
from typing import BinaryIO, Self
from urllib.parse import parse_qsl, urlsplit

from d1_preflight.core.errors import PreflightError
from d1_preflight.practice import tail
from d1_preflight.practice.api import Api, Request, body_of
from d1_preflight.practice.faults import Fault, FaultKind, Faults
from d1_preflight.practice.replies import Reply, failed
from d1_preflight.practice.state import Cloud
from d1_preflight.practice.worker import SCRIPT

API_PATH = "/client/v4"
MAX_BODY = 100_000_000
MAX_TEXT = 40_000
MAX_REMEMBERED = 1_000
_LOOK_FOR_STOP_S = 0.01
_REPLIES = {
    FaultKind.UNAUTHORIZED: failed(401, 10000, "Authentication error"),
    FaultKind.FORBIDDEN: failed(403, 10000, "Authentication error"),
    FaultKind.RATE_LIMITED: failed(
        429, 7429, "D1 is overloaded. Too many requests queued.", {"Retry-After": "7"}
    ),
    FaultKind.SERVER_ERROR: failed(500, 7500, "internal error; reference = practice"),
}


class AlreadyRunning(PreflightError):
    """Two stand-ins must not serve one state."""


class Server:
    """The stand-in, running in a thread of this process until it is closed."""

    def __init__(self, state: Path, port: int = 0, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.requests: deque[str] = deque(maxlen=MAX_REMEMBERED)
        self._lock = _only_one(state)
        self._http = _listen(port)
        self.cloud = Cloud(state)
        self.origin = f"http://127.0.0.1:{self._http.server_port}"
        self._http.practice = self
        self.api = Api(self.cloud, self.origin)
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(_LOOK_FOR_STOP_S,), daemon=True
        )

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._http.server_port

    def start(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop answering and let go of port and files."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        self.cloud.close()
        self._lock.close()


def _only_one(state: Path) -> BinaryIO:
    """The locked file, for as long as it is open."""
    lock = (state / "lock").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise AlreadyRunning(
            f"Another practice run is using {state.parent}.",
            hint="Leave that one first, or name another folder for this one.",
        ) from error
    return lock


def _listen(port: int) -> "_HttpServer":
    """Listen where the last run did, if that is free: addresses that are open stay good."""
    try:
        return _HttpServer(("127.0.0.1", port), _Handler)
    except OSError:
        return _HttpServer(("127.0.0.1", 0), _Handler)


class _HttpServer(ThreadingHTTPServer):
    practice: Server
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet when a caller goes away: the terminal belongs to the wizard."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "practice"
    timeout = 120
    disable_nagle_algorithm = True  # else each body waits 40 ms for word that its head came
    server: _HttpServer

    def do_GET(self) -> None:
        opening = tail.handshake(_plain(self.headers))
        if opening is None or not self.path.startswith(f"/practice/{tail.TAILS}/"):
            self._answer()
            return
        self.close_connection = True
        self.connection.sendall(opening)
        with suppress(OSError):
            tail.serve(self.connection, self.server.practice.cloud)

    def do_POST(self) -> None:
        self._answer()

    do_PUT = do_PATCH = do_DELETE = do_POST  # noqa: N815 - names given by http.server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """Keep quiet: the terminal belongs to the wizard."""

    def _answer(self) -> None:
        try:
            data = self._body()
            reply = self._reply(data)
        except (ValueError, TypeError, KeyError, AttributeError, PreflightError) as error:
            self.close_connection = True
            reply = failed(400, 7400, f"The request cannot be read: {error}")
        except Exception as error:  # noqa: BLE001 - the edge: whatever it is, it is answered
            self.close_connection = True
            reply = failed(500, 7500, f"internal error: {error!r}")
        if reply is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self._send(reply)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._chunks()
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 <= length <= MAX_BODY:
            raise ValueError("the body is too large")
        return self.rfile.read(length)

    def _chunks(self) -> bytes:
        parts, total = [], 0
        while size := int(self.rfile.readline().split(b";")[0], 16):
            total += size
            if not 0 <= total <= MAX_BODY:
                raise ValueError("the body is too large")
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _reply(self, data: bytes) -> Reply | None:
        address = urlsplit(self.path)
        query = dict(parse_qsl(address.query))
        if address.path.startswith(API_PATH + "/"):
            parts = tuple(address.path.removeprefix(API_PATH).strip("/").split("/"))
            headers = _plain(self.headers)
            body = body_of(data, headers.get("Content-Type", ""))
            return self._api(Request(self.command, parts, query, headers, body))
        match self.command, tuple(address.path.strip("/").split("/")):
            case "GET", ("worker", script, *rest) if script == SCRIPT:
                cloud = self.server.practice.cloud
                path = "/" + "/".join(rest)
                answer = cloud.active.answer(cloud.database, path, _plain(self.headers))
                return Reply.of(answer.status, answer.body)
            case "POST", ("hooks", hook) if hook == self.server.practice.cloud.hook:
                return self._hook(data)
            case "POST", ("practice", "faults"):
                texts = body_of(data).get("faults", [])
                self.server.practice.faults.set([Fault.parse(str(text)) for text in texts])
                return Reply.of(200, {"faults": texts})
            case "GET", ("practice", "exports", name):
                file = self.server.practice.api.stored_file(name, query.get("signature", ""))
                return Reply(200, file.read_bytes(), {}, "application/sql") if file else _GONE
            case "PUT", ("practice", "uploads", name):
                signature = query.get("signature", "")
                tag = self.server.practice.api.store_file(name, signature, data)
                return Reply(200, b"", {"ETag": f'"{tag}"'}) if tag else _GONE
        return _GONE

    def _api(self, request: Request) -> Reply | None:
        """The API's answer as the faults leave it; None where the connection is cut."""
        practice = self.server.practice
        practice.requests.append(f"{request.method} /{'/'.join(request.parts)}")
        is_query = request.parts[-1] == "query"
        fault = practice.faults.take(str(request.body.get("sql", "")) if is_query else None)
        match fault:
            case None:
                return practice.api.answer(request)
            case Fault(kind=FaultKind.API_DOWN | FaultKind.LOST_BEFORE):
                return None
            case Fault(kind=FaultKind.DIES_MID_APPLY):
                practice.api.answer(request)
                return None
            case Fault(kind=FaultKind.FAILS_MID_APPLY):
                return practice.api.answer(request, break_after=1)
            case Fault(kind=FaultKind.SLOW, milliseconds=delay):
                sleep(delay / 1000)
                return practice.api.answer(request)
            case Fault(kind=kind):
                return _REPLIES[kind]

    def _hook(self, data: bytes) -> Reply:
        text = body_of(data).get("text")
        if not isinstance(text, str) or not text.strip():
            return Reply(400, b"no_text", {}, "text/plain")
        if len(text) > MAX_TEXT:
            return Reply(400, b"msg_too_long", {}, "text/plain")
        self.server.practice.cloud.receive(text)
        return Reply(200, b"ok", {}, "text/plain")

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.media_type)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)


_GONE = failed(404, 7003, "There is nothing at this address.")


def _plain(headers: Headers) -> dict[str, str]:
    return {name.title(): str(value) for name, value in headers.items()}

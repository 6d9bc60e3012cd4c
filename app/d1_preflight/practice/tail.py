"""The stand-in's `wrangler tail`: a WebSocket on which the sample Worker's requests come in.

It serves what wrangler's client needs: the handshake, text, and an answer to its pings.
"""

import json
import select
from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha1
from itertools import count
from socket import socket

from d1_preflight.practice.analytics import requests_in_minute
from d1_preflight.practice.state import Cloud
from d1_preflight.practice.worker import SCRIPT

TAILS = "tails"
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # of RFC 6455
_TEXT, _CLOSE, _PING, _PONG = 0x81, 0x88, 0x9, 0x8A
_SHORT = 125
_MOST_A_SECOND = 8  # of a busy Worker, Cloudflare passes on a part, and says so
_OVERLOAD = {
    "type": "overload",
    "message": "Tail is currently in sampling mode due to the high volume of messages.",
}


def handshake(headers: Mapping[str, str]) -> bytes | None:
    """The answer that opens a WebSocket; None for a request that asks for none."""
    key = headers.get("Sec-Websocket-Key")
    if headers.get("Upgrade", "").lower() != "websocket" or not key:
        return None
    accept = b64encode(sha1(f"{key}{_GUID}".encode(), usedforsecurity=False).digest()).decode()
    lines = (
        "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept}", "Sec-WebSocket-Protocol: trace-v1", "", "",
    )  # fmt: skip
    return "\r\n".join(lines).encode()


def serve(connection: socket, cloud: Cloud) -> None:
    """Send the Worker's requests as they come, until the client goes."""
    for events in _by_second(cloud):
        for event in events:
            connection.sendall(_frame(_TEXT, json.dumps(event).encode()))
        ready, _, _ = select.select([connection], [], [], 1.0)
        if ready and not _heed(connection):
            return


def _by_second(cloud: Cloud) -> Iterator[list[Mapping[str, object]]]:
    """The events of each second; the failing part is what the Worker's queries show now."""
    failed = 0.0
    for second in count():
        now = cloud.now()
        wanted = max(1, requests_in_minute(now) // 60)
        events: list[Mapping[str, object]] = []
        if second == 0 and wanted > _MOST_A_SECOND:
            events.append(_OVERLOAD)
        failing = cloud.health[-1].failing if cloud.health else 0.0
        for _ in range(min(wanted, _MOST_A_SECOND)):
            failed += failing
            events.append(_event(now, "exception" if failed >= 1 else "ok"))
            failed -= failed >= 1
        yield events


def _event(now: datetime, outcome: str) -> Mapping[str, object]:
    request = {"method": "GET", "url": f"https://{SCRIPT}.example/users/me", "headers": {}}
    return {
        "outcome": outcome,
        "scriptName": SCRIPT,
        "eventTimestamp": round(now.timestamp() * 1000),
        "event": {"request": request},
        "exceptions": [],
        "logs": [],
    }


def _frame(kind: int, data: bytes) -> bytes:
    size = len(data)
    head = bytes([kind, size]) if size <= _SHORT else bytes([kind, 126]) + size.to_bytes(2, "big")
    return head + data


def _heed(connection: socket) -> bool:
    """Read one frame of the client's and answer a ping; False where it goes."""
    head = connection.recv(2)
    if len(head) < 2:  # noqa: PLR2004 - the connection is at its end
        return False
    kind, size = head[0] & 0xF, head[1] & 0x7F
    if size > _SHORT:
        return False  # a client of a tail sends nothing long
    mask = connection.recv(4) if head[1] & 0x80 else bytes(4)
    data = connection.recv(size) if size else b""
    if kind == _CLOSE & 0xF:
        connection.sendall(_frame(_CLOSE, data[:2]))
        return False
    if kind == _PING:
        plain = bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))
        connection.sendall(_frame(_PONG, plain))
    return True

"""Asks a short command with a bound on its time and on what it writes."""

import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from d1_preflight.adapters.processes import MISSING, TOO_SLOW, Answer
from d1_preflight.core.format import count

TOO_LONG = 125
_CHUNK = 1 << 16


class _TooLongError(Exception):
    """It wrote more than it may."""


def ask_bounded(
    *argv: str,
    cwd: Path,
    environ: Mapping[str, str],
    stdin: bytes = b"",
    timeout: float = 10.0,
    most: int = 1 << 26,
) -> Answer:
    """Run a command and wait for it; never raises.

    One that is missing, too slow or writes more than `most` bytes answers with exit code 127, 124
    or 125; its whole group ends with it.
    """
    with tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        try:
            child = subprocess.Popen(
                argv,
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env=dict(environ),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:  # ValueError: a NUL among the words
            return Answer(MISSING, b"", str(error).encode())
    with child:
        try:
            out, err = _read(child, time.monotonic() + timeout, most)
        except BaseException as error:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            if isinstance(error, TimeoutError):
                return Answer(TOO_SLOW, b"", f"no answer within {timeout:g} s".encode())
            if isinstance(error, _TooLongError):
                return Answer(TOO_LONG, b"", f"more than {count(most)} bytes".encode())
            raise
    return Answer(child.returncode, out, err)


def _read(child: "subprocess.Popen[bytes]", deadline: float, most: int) -> tuple[bytes, bytes]:
    found = {pipe.fileno(): bytearray() for pipe in (child.stdout, child.stderr) if pipe}
    out, err = found.values()
    with selectors.DefaultSelector() as waiting:
        for number in found:
            waiting.register(number, selectors.EVENT_READ)
        while waiting.get_map():
            ready = waiting.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                chunk = os.read(key.fd, _CHUNK)
                found[key.fd] += chunk
                if not chunk:
                    waiting.unregister(key.fd)
                if len(out) + len(err) > most:
                    raise _TooLongError
    try:
        child.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise TimeoutError from error
    return bytes(out), bytes(err)

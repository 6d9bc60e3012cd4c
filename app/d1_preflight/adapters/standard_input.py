"""Standard input as a command reads it: whole, bounded, and never deaf to a signal."""

import os
import select
import signal
import sys
import threading

_PART = 65_536


def read_input(limit: int) -> bytes:
    """Standard input up to `limit` bytes.

    A buffered read goes back to waiting where a signal came between two of its parts, so that
    SIGTERM would end nothing before the pipe is closed: here it wakes the waiting.
    """
    if sys.stdin is None:
        return b""
    try:
        here = sys.stdin.fileno()
    except (OSError, ValueError):
        return bytes(sys.stdin.buffer.read(limit))
    if threading.current_thread() is not threading.main_thread():
        return bytes(sys.stdin.buffer.read(limit))
    awake, wake = os.pipe()
    os.set_blocking(wake, False)
    before = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    found = bytearray()
    try:
        while len(found) < limit:
            ready, _, _ = select.select([here, awake], [], [])
            if here in ready:
                part = os.read(here, min(_PART, limit - len(found)))
                if not part:
                    break
                found += part
            if awake in ready:
                os.read(awake, _PART)
    finally:
        signal.set_wakeup_fd(before)
        os.close(awake)
        os.close(wake)
    return bytes(found)

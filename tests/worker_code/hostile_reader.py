"""A reader that some files end, or hold for ever: what a bug in a parser would do."""

import os
import sys
import threading

from d1_preflight.code.file_job import answer, serve_with


def main() -> None:
    """Serve as the program's own reader does."""
    serve_with(_hostile, sys.stdin.buffer, sys.stdout.buffer)


def _hostile(job: bytes) -> bytes:
    if b"// end" in job:
        os._exit(11)
    if b"// hold" in job:
        threading.Event().wait()
    return answer(job)

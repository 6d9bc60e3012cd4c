"""What commands write: data to stdout, narration to stderr, whatever these two are.

A reader that left early, a closed stream or a narrow encoding changes no exit code.
"""

import os
import sys
from contextlib import suppress
from typing import TextIO

from d1_preflight.core.errors import UsageError

_CONTROLS = frozenset(map(chr, (*range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0)))) | set(
    "\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
)


def write(text: str, what: str = "The output") -> None:
    """Write data to stdout; raises UsageError where the disk does not take it."""
    out = sys.stdout
    if out is None:  # closed by the caller: the exit code still reports the result
        return
    take_any_name()
    try:
        out.write(text)
        out.flush()
    except BrokenPipeError:
        forget(out)
    except OSError as error:
        forget(out)
        raise UsageError(
            f"{what} could not be written: {error.strerror}.", hint="Make room, or pipe it."
        ) from error


def say(text: str) -> None:
    """Print to stderr without terminal controls; a closed stderr is no error."""
    err = sys.stderr
    if err is None:
        return
    take_any_name()
    try:
        err.write(f"{clean(text)}\n")
        err.flush()
    except OSError:
        forget(err)


def clean(text: str) -> str:
    """Words that came from files and programs, without control characters; lines stay lines."""
    return "".join(" " if char in _CONTROLS else char for char in text)


def take_any_name() -> None:
    """A file's name need not be UTF-8, nor this terminal; neither is a reason to stop."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")


def open_what_is_closed() -> None:
    """Give closed standard streams somewhere to go; no file of ours may take their number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            found = os.open(os.devnull, os.O_RDWR)
            if found != number:
                os.dup2(found, number)
                os.close(found)
            if getattr(sys, name) is None:
                mode = "w" if number else "r"
                stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as we run
                setattr(sys, name, stream)


def finish(code: int) -> int:
    """Flush stdout; a full disk is reported here, not when Python ends."""
    if sys.stdout is not None:
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            forget(sys.stdout)
    return code


def forget(stream: TextIO | None) -> None:
    """Nothing is left to be flushed when Python ends: that would fail once more, and be shown."""
    if stream is None:
        return
    with suppress(OSError, ValueError):
        stream.flush()
        return
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        stream.flush()

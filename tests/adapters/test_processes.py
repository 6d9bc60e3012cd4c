"""Children: followed line by line, ended as a group, or left alone where they must be."""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.fake_wrangler import FAKE, Act, is_alive, until, wrangler_playing
from d1_preflight.adapters.processes import (
    LONGEST_SHOWN_LINE,
    MISSING,
    Command,
    Ended,
    ask,
    clean,
    run,
)
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.ports import Stream


async def play(
    folder: Path, *acts: Act, limit: float | None = None, protect: bool = False, grace: float = 6
) -> tuple[Ended, list[tuple[str, Stream]]]:
    shown: list[tuple[str, Stream]] = []
    command = Command(
        (sys.executable, str(FAKE)),
        folder,
        {"TRANSCRIPT": json.dumps(acts)},
        timeout=limit,
        protect=protect,
        grace=grace,
    )
    with (
        (folder / "out").open("w+b", buffering=0) as out,
        (folder / "err").open("w+b", buffering=0) as err,
    ):
        ended = await run(command, out, err, lambda line, stream: shown.append((line, stream)))
    return ended, shown


async def test_ten_thousand_lines_arrive_whole_and_in_order(tmp_path: Path) -> None:
    ended, shown = await play(tmp_path, {"repeat": [10_000, "line"]})
    assert ended.exit_code == 0
    assert [line for line, _ in shown] == [f"line {number}" for number in range(10_000)]


async def test_lines_are_seen_while_the_command_still_runs(tmp_path: Path) -> None:
    go = tmp_path / "go"
    seen: list[str] = []

    def answer_the_first_line(line: str, _stream: Stream) -> None:
        seen.append(line)
        go.touch()

    acts = [{"out": "first\n"}, {"wait": str(go)}, {"out": "second\n"}]
    command = Command((sys.executable, str(FAKE)), tmp_path, {"TRANSCRIPT": json.dumps(acts)})
    with (
        (tmp_path / "out").open("w+b", buffering=0) as out,
        (tmp_path / "err").open("w+b", buffering=0) as err,
    ):
        ended = await run(command, out, err, answer_the_first_line)
    assert (ended.exit_code, seen) == (0, ["first", "second"])


async def test_streams_stay_apart_and_brackets_stay_text(tmp_path: Path) -> None:
    _, shown = await play(tmp_path, {"out": "[red]out[/red]\n"}, {"err": "\x1b[31merr\x1b[0m"})
    assert sorted(shown) == [("[red]out[/red]", "out"), ("err", "err")]


async def test_a_very_long_line_is_shown_cut_and_kept_whole(tmp_path: Path) -> None:
    _, shown = await play(tmp_path, {"fill": [300_000, "x"]})
    assert len(shown) == 1
    assert shown[0][0].startswith("x" * LONGEST_SHOWN_LINE + " … (")
    assert (tmp_path / "out").stat().st_size == 300_000


async def test_the_exit_code_is_told_as_it_is(tmp_path: Path) -> None:
    ended, _ = await play(tmp_path, {"exit": 7})
    assert (ended.exit_code, ended.timed_out) == (7, False)


async def test_a_cancelled_read_ends_with_all_its_children(tmp_path: Path) -> None:
    leader, child, never = tmp_path / "leader", tmp_path / "child", str(tmp_path / "never")
    acts: list[Act] = [
        {"child": [{"ignore": "SIGINT"}, {"touch": str(child)}, {"wait": never}]},
        {"touch": str(leader)},
        {"wait": never},
    ]
    task = asyncio.create_task(play(tmp_path, *acts, grace=0.2))
    await until(lambda: leader.exists() and child.exists() and bool(child.read_text()))
    pids = [int(leader.read_text()), int(child.read_text())]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not any(is_alive(pid) for pid in pids))


async def test_a_read_over_its_time_is_ended_and_said_to_be(tmp_path: Path) -> None:
    ended, _ = await play(tmp_path, {"wait": str(tmp_path / "never")}, limit=0.3)
    assert ended.timed_out
    assert ended.exit_code not in (None, 0)


async def test_a_protected_command_outlives_its_time(tmp_path: Path) -> None:
    go, done = tmp_path / "go", tmp_path / "done"
    acts: list[Act] = [{"wait": str(go)}, {"out": "end"}, {"touch": str(done)}]
    ended, _ = await play(tmp_path, *acts, limit=0.1, protect=True)
    assert (ended.exit_code, ended.timed_out) == (None, True)
    go.touch()
    await until(done.exists)
    assert (tmp_path / "out").read_text() == "end"


async def test_a_protected_command_outlives_a_cancelled_wait(tmp_path: Path) -> None:
    begun, go, done = tmp_path / "begun", tmp_path / "go", tmp_path / "done"
    acts: list[Act] = [{"touch": str(begun)}, {"wait": str(go)}, {"touch": str(done)}]
    task = asyncio.create_task(play(tmp_path, *acts, protect=True))
    await until(begun.exists)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.touch()
    await until(done.exists)


PARENT = """
import asyncio, fcntl, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from adapters.fake_wrangler import wrangler_playing
from dataclasses import replace
import json

folder, acts = Path(sys.argv[1]), json.loads(sys.argv[2])
lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
wrangler = replace(wrangler_playing(folder, *acts), lock=lambda: lock)
asyncio.run(wrangler.run((), cwd=folder, keep="07-apply", protect=True))
"""


async def test_an_apply_survives_our_death_keeps_its_log_and_holds_the_lock(tmp_path: Path) -> None:
    begun, go, done = (tmp_path / name for name in ("begun", "go", "done"))
    acts = [{"out": "one\n"}, {"touch": str(begun)}, {"wait": str(go)}, {"out": "two\n"}]
    acts.append({"touch": str(done)})
    words = (sys.executable, "-c", PARENT, str(tmp_path), json.dumps(acts), str(FAKE.parents[1]))
    parent = subprocess.Popen(words)  # noqa: ASYNC220 - it is killed like a real one
    await until(lambda: begun.exists() or parent.poll() is not None)
    parent.send_signal(signal.SIGKILL)
    assert parent.wait() == -signal.SIGKILL

    lock = os.open(tmp_path / "lock", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    go.touch()
    await until(done.exists)
    await until(lambda: is_free(lock))
    (log,) = wrangler_playing(tmp_path).recover("apply")
    assert set(log.files) == {"evidence/07-apply.out"}  # it printed no errors
    assert (tmp_path / "record/evidence/07-apply.out").read_text() == "one\ntwo\n"


async def test_while_an_apply_that_was_left_is_at_work_no_other_begins(tmp_path: Path) -> None:
    begun, go = tmp_path / "begun", tmp_path / "go"
    wrangler = wrangler_playing(tmp_path, {"touch": str(begun)}, {"wait": str(go)})
    left = asyncio.create_task(wrangler.run((), cwd=tmp_path, keep="07-apply", protect=True))
    await until(begun.exists)
    left.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await left

    assert wrangler.is_writing()
    with pytest.raises(NotAllowed, match="still writing"):
        await wrangler.run((), cwd=tmp_path, keep="08-apply", protect=True)
    go.touch()
    await until(lambda: not wrangler.is_writing())
    assert [log.exit_code for log in wrangler.recover("apply")] == [None]
    assert wrangler.recover("apply") == ()


def is_free(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;https://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("50 %\r100 %", "100 %"),
        ("text\r\n", "text"),
        ("a\tb", "a    b"),
        ("drop \u202eelbat", "drop elbat"),
        ("\x1b]0;never ended", ""),
        ("[bold]as it is[/]", "[bold]as it is[/]"),
    ],
)
def test_a_line_is_cleaned(raw: str, shown: str) -> None:
    assert clean(raw) == shown


@given(st.text())
def test_no_control_character_reaches_the_screen(text: str) -> None:
    assert not [char for char in clean(text) if ord(char) < 32 or 127 <= ord(char) < 160]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


def test_a_missing_program_is_an_answer() -> None:
    answer = ask("no-such-program-here")
    assert answer.exit_code == MISSING
    assert "no-such-program-here" in answer.reason

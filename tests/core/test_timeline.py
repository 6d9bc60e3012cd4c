"""The timeline's lines are bound by hash; what people fill in is not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core.record_values import ANA, KEYS, START, FakeSigner, closed_files
from d1_preflight.core.record.file import dump_record, load_record
from d1_preflight.core.record.signing import CLOSE
from d1_preflight.core.verify.links import Verification
from d1_preflight.core.verify.timeline import new_timeline, next_line, read_timeline
from d1_preflight.core.verify.verify import verify_record

OLD = b"""\
# Timeline of an emergency: 0061 on shop-db

Post-mortem, to be filled in: What did users notice? They noticed nothing.

- 2026-11-23 14:00:00  ana@example.com  begins `wrangler d1 info shop`
"""


def written(*words: str) -> bytes:
    text = new_timeline("0057 on shop-db")
    for n, said in enumerate(words):
        text += next_line(text, START + timedelta(minutes=n), f"ana  {said}")
    return text.encode()


THREE = written("begins `x`", "ended `x`: exit code 0", "begins `y`")


def verified(timeline: bytes | None, closed_with: str = "") -> Verification:
    files, checklist = closed_files()
    if closed_with:
        record = load_record(files["record.toml"])
        last = record.attempts[-1]
        last = replace(last, facts={**last.facts, "timeline": closed_with})
        record = replace(record, attempts=(*record.attempts[:-1], last))
        files["record.toml"] = dump_record(record)
        signature = FakeSigner(KEYS, ANA).sign(files["record.toml"], CLOSE)
        files["record.toml.sig"] = signature
    if timeline is not None:
        files["timeline.md"] = timeline
    return verify_record(files, checklist, KEYS)


def of_timeline(found: Verification) -> list[str]:
    return [problem.words for problem in found.problems if problem.file == "timeline.md"]


def test_what_was_written_is_read_back() -> None:
    found = read_timeline(THREE)

    assert [entry.words for entry in found.entries] == [
        "ana  begins `x`", "ana  ended `x`: exit code 0", "ana  begins `y`"
    ]  # fmt: skip
    assert [entry.at - START for entry in found.entries] == [timedelta(minutes=n) for n in range(3)]
    assert found.is_bound
    assert not found.broken


def test_every_edit_of_a_line_is_seen() -> None:
    lines = THREE.decode().splitlines(keepends=True)
    first = next(n for n, line in enumerate(lines) if line.startswith("- "))
    edits = {
        "another word": THREE.replace(b"exit code 0", b"exit code 1"),
        "another time": THREE.replace(b"14:01:00", b"14:02:00"),
        "another person": THREE.replace(b"ana  ended", b"ben  ended"),
        "a line less": "".join(lines[: first + 1] + lines[first + 2 :]).encode(),
        "the first line less": "".join(lines[:first] + lines[first + 1 :]).encode(),
        "lines in another order": "".join(
            lines[: first + 1] + lines[first + 2 :] + [lines[first + 1]]
        ).encode(),
        "a line more": THREE + b"- 2026-11-23 14:09:00  ana  all was well\n",
        "words of people": THREE + b"and we noticed nothing\n",
        "the subject": THREE.replace(b"0057 on", b"0058 on"),
    }
    for name, edited in edits.items():
        assert edited != THREE, name
        assert read_timeline(edited).broken, name
        assert of_timeline(verified(edited)), name
    assert of_timeline(verified(THREE)) == []


def test_a_closed_record_names_the_line_it_was_closed_after() -> None:
    closed = read_timeline(THREE).states[-1]
    more = THREE + next_line(THREE.decode(), START, "ana  begins `z`").encode()

    assert of_timeline(verified(THREE, closed)) == []
    assert of_timeline(verified(more, closed)) == []
    assert of_timeline(verified(written("begins `x`"), closed)) != []
    assert of_timeline(verified(OLD, closed)) != []
    assert of_timeline(verified(None, closed)) != []


def test_a_timeline_of_an_earlier_version_goes_on_as_it_is() -> None:
    line = next_line(OLD.decode(), START, "ana  ended `x`: exit code 0")
    found = read_timeline(OLD + line.encode())

    assert line == "- 2026-11-23 14:00:00  ana  ended `x`: exit code 0\n"
    assert len(found.entries) == 2
    assert (found.is_bound, found.broken) == (False, 0)
    assert of_timeline(verified(OLD)) == []
    assert verified(OLD).exit_code == 0


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"- 2026-99-99 99:99:99  x", b"-\n" * 9])
def test_anything_can_be_read(data: bytes) -> None:
    assert not read_timeline(data).is_bound


def test_words_of_several_lines_stay_one_line() -> None:
    head = new_timeline("x")
    line = next_line(head, START, "ana  begins `a\nb`")

    assert line.count("\n") == 1
    assert not read_timeline((head + line).encode()).broken

"""SUMMARY.md is written at GO and at the close, and matches the record or is refused."""

import gzip
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

import pytest

from actions.conftest import Walked
from actions.fake_target import CHECKLIST, UUID, Bench
from core.record_values import ANA, KEYS
from d1_preflight.core.checklist.checklist import still_asked
from d1_preflight.core.errors import NotAllowed, Rejected
from d1_preflight.core.record.apply_facts import CloseFacts, GoFacts
from d1_preflight.core.record.file import dump_record, load_record
from d1_preflight.core.record.record import Record, Status
from d1_preflight.core.record.signing import CLOSE
from d1_preflight.core.target.query_texts import QUERIES, digests_of, read_queries
from d1_preflight.core.verify.verify import verify_record
from plain.fakes import ReadySigner

SUMMARY = "SUMMARY.md"


def told(files: Mapping[str, bytes]) -> list[str]:
    """What is wrong with the summaries and the queries."""
    found = verify_record(files, CHECKLIST, KEYS).problems
    about = ("summary", "query", "file")
    return [f"{p.id} {p.file}" for p in found if p.id.startswith(about)]


def copies(files: Mapping[str, bytes]) -> list[str]:
    return sorted(name for name in files if name.endswith("-go.summary.md"))


async def closed(walked: Walked) -> dict[str, bytes]:
    bench: Bench = await walked("close")
    await bench.walk(verdict="Nobody noticed.")
    return dict(bench.store.held)


def resigned(files: dict[str, bytes], **changed: bytes) -> dict[str, bytes]:
    """An operator who writes another summary and signs again."""
    record = load_record(files["record.toml"])
    last = record.attempts[-1]
    new = changed["summary"]
    sums = {line[66:]: line for line in CloseFacts.from_attempt(last).files}
    sums[SUMMARY] = f"{sha256(new).hexdigest()}  {SUMMARY}"
    facts = {**last.facts, "files": tuple(sums.values())}
    record = replace(record, attempts=(*record.attempts[:-1], replace(last, facts=facts)))
    return {**files, **signed(record), SUMMARY: new}


def signed(record: Record) -> dict[str, bytes]:
    document = dump_record(record)
    return {"record.toml": document, "record.toml.sig": KEYS.sign(document, CLOSE, ANA)}


async def test_go_writes_it_and_keeps_a_copy(walked: Walked) -> None:
    bench = await walked("applied")
    held = bench.store.held
    (copy,) = copies(held)
    facts = GoFacts.from_attempt(bench.session.attempt("go"))

    assert held[SUMMARY] == held[copy]
    assert facts.summary == sha256(held[copy]).hexdigest()
    assert b"**open: GO is signed, not applied yet**" in held[SUMMARY]
    assert f"GO: {ANA}, key SHA256:{ANA}".encode() in held[SUMMARY]
    assert told(held) == []


async def test_the_close_writes_it_again(walked: Walked) -> None:
    files = await closed(walked)

    assert b"**closed: kept**" in files[SUMMARY]
    assert f"close: {ANA}, key SHA256:{ANA}".encode() in files[SUMMARY]
    assert b"| teams | 2 | 2 |" in files[SUMMARY]
    assert sha256(files["record.toml"]).hexdigest().encode() not in files[SUMMARY]
    assert UUID.encode() in files[SUMMARY]
    assert len(files[SUMMARY].splitlines()) <= 40
    assert told(files) == []


async def test_a_summary_that_says_other_things_is_refused_though_it_is_signed(
    walked: Walked,
) -> None:
    files = await closed(walked)

    for old, new in ((b"no row lost", b"2 rows lost"), (b"kept", b"rolled back"), (b"\n", b"\r\n")):
        assert old in files[SUMMARY]
        other = resigned(files, summary=files[SUMMARY].replace(old, new, 1))
        assert told(other) == [f"summary-differs {SUMMARY}"]
    for data in (files[SUMMARY] + b"\n", files[SUMMARY][:-1], b"", b"\xff"):
        assert told(resigned(files, summary=data)) == [f"summary-differs {SUMMARY}"]


async def test_the_sentence_names_the_line(walked: Walked) -> None:
    files = await closed(walked)
    other = resigned(files, summary=files[SUMMARY].replace(b"kept", b"rolled back", 1))

    (found,) = [p for p in verify_record(other, CHECKLIST, KEYS).problems if p.file == SUMMARY]

    assert found.words == (
        "differs from the record: line 3 says “**closed: rolled back**”, "
        "the record says “**closed: kept**”"
    )


async def test_a_summary_that_is_gone_or_off_is_named(walked: Walked) -> None:
    files = await closed(walked)
    (copy,) = copies(files)

    assert f"summary-missing {SUMMARY}" in told({k: v for k, v in files.items() if k != SUMMARY})
    assert f"file-changed {SUMMARY}" in told({**files, SUMMARY: files[SUMMARY] + b" "})
    assert f"summary-missing {copy}" in told({k: v for k, v in files.items() if k != copy})
    assert f"summary-changed {copy}" in told({**files, copy: files[copy] + b" "})
    assert "file-unlisted evidence/999-go.summary.md" in told(
        {**files, "evidence/999-go.summary.md": b""}
    )


async def test_an_open_record_is_held_to_go_s_summary(walked: Walked) -> None:
    held = (await walked("close")).store.held

    assert told(held) == []
    assert told({**held, SUMMARY: b"# kept\n"}) == [f"summary-differs {SUMMARY}"]
    assert told({k: v for k, v in held.items() if k != SUMMARY}) == [f"summary-missing {SUMMARY}"]


async def test_before_go_there_is_no_summary(walked: Walked) -> None:
    held = (await walked("go")).store.held

    assert SUMMARY not in held
    assert told({**held, SUMMARY: b"# x\n"}) == [f"file-unlisted {SUMMARY}"]


class Locked(ReadySigner):
    """A hand whose key cannot be used."""

    def sign(self, document: bytes, namespace: str) -> bytes:
        raise NotAllowed(f"The key is locked ({namespace}, {len(document)} bytes).")


async def test_that_nobody_noticed_is_one_key_and_anything_else_is_a_sentence(
    walked: Walked,
) -> None:
    bench = await walked("close")
    step = bench.session.checklist.step("close")
    asked = bench.session.prompts(step)
    brief = next(p for p in asked if p.key == "noticed")
    quiet, other = brief.choices
    spared = [p.key for p in asked if not still_asked(p, {"noticed": quiet})]

    with pytest.raises(Rejected):  # more to tell, and nothing told
        await bench.step("close", noticed=other, verdict="")
    attempt = await bench.step("close", noticed=quiet)

    assert brief.deliberate
    assert spared == ["verdict"]
    assert attempt.words == "Nobody noticed."
    assert "verdict" not in attempt.answers
    assert "- **in their words**: Nobody noticed." in bench.store.held[SUMMARY].decode()


async def test_a_close_that_is_not_signed_leaves_go_s_summary(walked: Walked) -> None:
    bench = await walked("close")
    go = bench.store.held[SUMMARY]
    session = bench.session
    session.environment = replace(session.environment, signer=Locked(KEYS, ANA))

    attempt = await bench.step("close", verdict="Nobody noticed.")

    assert attempt.status is Status.FAILED
    assert bench.store.held[SUMMARY] == go
    assert told(bench.store.held) == []


async def test_each_query_is_kept_once_and_named_by_its_digest(walked: Walked) -> None:
    files = await closed(walked)
    record = load_record(files["record.toml"])
    ran = [evidence for attempt in record.attempts for evidence in attempt.evidence]
    texts = read_queries(files[QUERIES]).texts

    assert set(digests_of(ran)) == set(texts)
    assert b"SELECT" not in files["record.toml"]
    other = gzip.compress(gzip.decompress(files[QUERIES]).replace(b"SELECT", b"select", 1))
    assert told({**files, QUERIES: other})[0] == f"query-missing {QUERIES}"


async def test_a_go_that_is_signed_again_keeps_each_summary(walked: Walked) -> None:
    bench = await walked("applied")
    await bench.step("go")

    assert len(copies(bench.store.held)) == 2
    assert told(bench.store.held) == []

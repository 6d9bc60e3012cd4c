"""What a close keeps together and names: the outputs in one archive, the reviews of GO."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from actions.conftest import Walked
from actions.fake_target import CHECKLIST
from core.record_values import BEN, KEYS, START
from d1_preflight.actions.sealing import put_away
from d1_preflight.core.record.apply_facts import CloseFacts
from d1_preflight.core.record.file import load_record
from d1_preflight.core.record.review import PLAN, Verdict, statement
from d1_preflight.core.record.signing import REVIEW
from d1_preflight.core.target.kept_outputs import OUTPUTS, archived
from d1_preflight.core.verify.verify import verify_record
from plain.fakes import MemoryStore
from sampling import sampled

if TYPE_CHECKING:
    from d1_preflight.actions.context import Environment


@pytest.mark.parametrize("verdict", sampled(list(Verdict), 2))
async def test_the_close_names_the_reviews_of_go(walked: Walked, verdict: Verdict) -> None:
    bench = await walked("close")
    held = bench.store.held
    words = statement(
        held, load_record(held["record.toml"]), PLAN, verdict, "counts?", reviewer=BEN, at=START
    )
    held |= {"go.review.toml": words, "go.review.toml.sig": KEYS.sign(words, REVIEW, BEN)}
    await bench.walk(verdict="Nobody noticed.")

    seen = CloseFacts.from_attempt(load_record(held["record.toml"]).attempts[-1]).reviews
    assert [(r.file, r.by, r.verdict) for r in seen] == [("go.review.toml", BEN, verdict.value)]
    summary = held["SUMMARY.md"].decode()
    assert f"- **reviews**: GO {verdict} by {BEN}, key SHA256:{BEN}: counts?" in summary
    problems = [p.id for p in verify_record(held, CHECKLIST, KEYS).problems]
    assert ("sent-back" in problems) is (verdict is Verdict.SENT_BACK)
    assert not {"reviews-differ", "summary-differs", "review-invalid"} & set(problems)


async def test_a_review_that_is_not_good_is_not_named(walked: Walked) -> None:
    bench = await walked("close")
    bench.store.held.update({"go.review.toml": b"schema = 2\n", "go.review.toml.sig": b"x"})
    await bench.walk(verdict="Nobody noticed.")

    assert "nobody else had reviewed it" in bench.store.held["SUMMARY.md"].decode()


def test_what_the_archive_holds_is_put_away_and_nothing_else() -> None:
    outputs = {"evidence/001-a.out": b"a", "evidence/002-b.out": b"b"}
    held = {**outputs, OUTPUTS: archived(outputs), "evidence/003-c.out": b"c", "record.toml": b""}
    held["evidence/002-b.out"] = b"another one"
    store = MemoryStore(held)

    put_away(cast("Environment", SimpleNamespace(store=store)))

    assert sorted(store.held) == [
        "evidence/002-b.out", "evidence/003-c.out", OUTPUTS, "record.toml",
    ]  # fmt: skip

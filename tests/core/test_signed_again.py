"""Sixteen more manipulations of a record of schema 2, each signed again by its own operator."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256

import pytest

from core.record_values import ANA, BEN, KEYS, START, closed_in_chain, shipped_checklist
from d1_preflight.core.checklist.answers import FIXED_MANUALLY, KEPT, ROLLED_BACK
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.facts import Fact, Facts
from d1_preflight.core.record.file import dump_record, load_record
from d1_preflight.core.record.record import Attempt, Record, Status
from d1_preflight.core.record.review import PLAN, Verdict, statement
from d1_preflight.core.record.signing import CLOSE, REVIEW
from d1_preflight.core.summary.form import PRESENT_FORM
from d1_preflight.core.summary.markdown import summary_bytes
from d1_preflight.core.verify.chain import read_closed
from d1_preflight.core.verify.links import Chain
from d1_preflight.core.verify.place import Place
from d1_preflight.core.verify.verify import verify_record
from sampling import sampled

Files = dict[str, bytes]
CHECKLIST = shipped_checklist()


def reviewed(verdict: Verdict) -> Files:
    """A record that was closed after Ben's word on its GO."""
    before = closed_in_chain()
    reason = "" if verdict is Verdict.APPROVED else "no counts"
    record = load_record(before["record.toml"])
    words = statement(before, record, PLAN, verdict, reason, reviewer=BEN, at=START)
    review = {"go.review.toml": words, "go.review.toml.sig": KEYS.sign(words, REVIEW, BEN)}
    return closed_in_chain(more=review)


def again(files: Files, change: Callable[[Record], Record]) -> Files:
    """The record after a change, with a summary that says the same, signed by its operator."""
    record = change(load_record(files["record.toml"]))
    summary = summary_bytes(record)
    lines = record.attempts[-1].facts.get("files", ())
    assert isinstance(lines, tuple)
    told = f"{sha256(summary).hexdigest()}  SUMMARY.md"
    bound = tuple(told if str(line).endswith("  SUMMARY.md") else line for line in lines)
    record = at_close(files=bound)(record) if lines else record
    document = dump_record(record)
    signed = {"record.toml": document, "record.toml.sig": KEYS.sign(document, CLOSE, ANA)}
    return {**files, **signed, "SUMMARY.md": summary}


def with_attempt(step: str, change: Callable[[Attempt], Attempt]) -> Callable[[Record], Record]:
    return lambda record: replace(
        record, attempts=tuple(change(a) if a.step == step else a for a in record.attempts)
    )


def with_facts(step: str, **facts: Fact) -> Callable[[Record], Record]:
    return with_attempt(step, lambda a: replace(a, facts={**a.facts, **facts}))


def at_close(**facts: Fact) -> Callable[[Record], Record]:
    return with_facts("close", **facts)


def twice(record: Record) -> Record:
    lines = record.attempts[-1].facts["files"]
    assert isinstance(lines, tuple)
    return at_close(files=(f"{'0' * 64}  go.review.toml", *lines))(record)


def row(number: int) -> Callable[[Record], Record]:
    def changed(record: Record) -> Record:
        chain = record.attempts[-1].facts["chain"]
        assert isinstance(chain, Mapping)
        closed = at_close(chain={**chain, "ledger_id": number})(record)
        return with_facts("ledger", id=57)(closed)

    return changed


def ran_at(step: str, key: str, later: timedelta) -> Callable[[Record], Record]:
    moment = (START + later).strftime("%Y-%m-%dT%H:%M:%SZ")
    return with_facts(step, **{key: moment})


def after_close(record: Record) -> Record:
    last = record.attempts[-1]
    assert last.finished_at is not None
    more = replace(last, step="errors", started_at=last.finished_at, facts={})
    return replace(record, attempts=(*record.attempts, more))


SEEN: Facts = {"file": "go.review.toml", "by": BEN, "fingerprint": f"SHA256:{BEN}"}
APPROVED: Fact = ({**SEEN, "verdict": "approved"},)
DOCUMENT = Evidence(("wrangler",), 0, 1, {"record.toml.sig": "0" * 64})
RENAMED = with_attempt("errors", lambda a: replace(a, evidence=(DOCUMENT,)))


@dataclass(frozen=True)
class Forgery:
    """What is signed again, and the id that names it."""

    what: str
    change: Callable[[Record], Record]
    named: str
    verdict: Verdict | None = None


FORGERIES = (
    Forgery("somebody else closed it", at_close(signer="cto@example.com"), "signer-differs"),
    Forgery("another key closed it", at_close(fingerprint="SHA256:other"), "signer-differs"),
    Forgery("somebody else signed GO", with_facts("go", signer="cto@example.com"),
            "signer-differs"),
    Forgery("GO was tried by somebody else", with_attempt("go", lambda a: replace(a, by=BEN)),
            "signer-differs"),
    Forgery("it was closed last week", ran_at("close", "closed_at", -timedelta(days=7)),
            "time-order"),
    Forgery("GO was signed tomorrow", ran_at("go", "signed_at", timedelta(days=1)), "time-order"),
    Forgery("an end of one's own", at_close(end="approved by the board"), "close-differs"),
    Forgery("another end", at_close(end="it was taken back", chain={"sequence": 7}),
            "chain-broken"),
    Forgery("another row of the ledger", row(99), "close-differs"),
    Forgery("a file that is named twice", twice, "close-differs", Verdict.APPROVED),
    Forgery("a document as evidence", RENAMED, "close-differs"),
    Forgery("a second person who never was", at_close(reviews=APPROVED, summary_form=PRESENT_FORM),
            "reviews-differ"),
    Forgery("“sent back” told as approved", at_close(reviews=APPROVED, summary_form=PRESENT_FORM),
            "reviews-differ", Verdict.SENT_BACK),
    Forgery("“sent back” left out", at_close(summary_form=PRESENT_FORM), "reviews-differ",
            Verdict.SENT_BACK),
    Forgery("an attempt after the close", after_close, "close-incomplete"),
    Forgery("the close names no files", at_close(files=()), "file-unlisted"),
)  # fmt: skip


def ids(files: Files) -> set[str]:
    closed = read_closed(files)
    place = Place("alone", chain=Chain((closed,) if closed else ()))
    return {p.id.value for p in verify_record(files, CHECKLIST, KEYS, place=place).problems}


@pytest.mark.parametrize("forged", sampled(FORGERIES, 2), ids=lambda forged: forged.what)
def test_what_its_operator_signs_again_is_named(forged: Forgery) -> None:
    files = closed_in_chain() if forged.verdict is None else reviewed(forged.verdict)
    named = ids(again(files, forged.change))

    assert forged.named in named
    print(f"{forged.what}: {', '.join(sorted(named))}")


@pytest.mark.parametrize("end", [KEPT, ROLLED_BACK, FIXED_MANUALLY])
def test_only_what_was_kept_has_to_keep_its_row_of_the_ledger(end: str) -> None:
    moved = ids(again(closed_in_chain(), lambda record: at_close(end=end)(row(99)(record))))

    assert ("close-differs" in moved) is (end == KEPT)


def test_a_close_that_failed_binds_nothing_yet() -> None:
    failed = with_attempt("close", lambda a: replace(a, status=Status.FAILED, facts={}))

    assert not ids(again(closed_in_chain(), failed)) & {"close-incomplete", "close-differs"}


def test_nothing_is_named_where_nothing_was_changed() -> None:
    assert ids(again(closed_in_chain(), lambda record: record)) == set()
    assert ids(again(reviewed(Verdict.APPROVED), lambda record: record)) == set()
    named = at_close(reviews=APPROVED, summary_form=PRESENT_FORM)
    assert ids(again(reviewed(Verdict.APPROVED), named)) == set()

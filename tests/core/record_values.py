"""Records, checklists and keys as plain values, for the tests of everything that judges them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from d1_preflight.core.checklist.answers import KEPT
from d1_preflight.core.checklist.checklist import Checklist
from d1_preflight.core.checklist.file import load_checklist
from d1_preflight.core.errors import BadSignature
from d1_preflight.core.findings import Kind
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.apply_facts import CloseFacts
from d1_preflight.core.record.facts import Facts, StepFacts, instant
from d1_preflight.core.record.file import dump_facts, dump_record, history_sha256
from d1_preflight.core.record.record import DatabaseRef, Outcome, Record, Status
from d1_preflight.core.record.signing import CLOSE, GO, Signature
from d1_preflight.core.summary.markdown import summary_bytes
from d1_preflight.core.target.snapshot import LedgerRow
from d1_preflight.core.verify.bound import bound_files
from d1_preflight.core.verify.chain import next_link, read_closed

START = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
SQL = b"ALTER TABLE teams ADD COLUMN billing_email TEXT;\n"
SUBJECTS = {"migration": sha256(SQL).hexdigest(), "config": "c" * 64}
BEFORE_GO = ("classification", "local", "data", "rollback", "timing")  # of the shipped checklist
ANA, BEN = "ana@example.com", "ben@example.com"


class AnyAction:
    """A container that knows every action: what the steps do is not what is tested."""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)


def shipped_text() -> str:
    return (Path(__file__).resolve().parents[2] / "checklists" / "d1.toml").read_text()


@cache
def shipped_checklist() -> Checklist:
    return load_checklist(shipped_text(), "d1.toml", AnyAction())


def with_section(before: str, section: str = "compliance", step: str = "dpo") -> Checklist:
    """The shipped checklist with a team's own section before another one."""
    own = f"""[[section]]
id = "{section}"
title = "Compliance"

[[section.step]]
id = "{step}"
short = "agreed"
title = "The data protection officer agreed"
why = "The law."
action = "open_dashboard"

"""
    mark = f'[[section]]\nid = "{before}"\n'
    assert mark in shipped_text()
    return load_checklist(shipped_text().replace(mark, own + mark), "d1.toml", AnyAction())


def new_record(checklist: Checklist, subjects: Mapping[str, str] = SUBJECTS) -> Record:
    database = DatabaseRef("marketplace-production", "a1b2c3d4-0000-4000-8000-000000000001")
    tools = {"wrangler": "4.164.0", "node": "24.0.0"}
    return Record("0057_add_team_billing.sql", database, checklist.sha256, subjects, tools)


@dataclass
class Walk:
    """Walks a record through its path, one minute a step."""

    checklist: Checklist
    kind: Kind = Kind.DESTRUCTIVE
    schema: int = 1
    by: str = ANA
    record: Record = field(init=False)
    now: datetime = START

    def __post_init__(self) -> None:
        self.record = replace(new_record(self.checklist), schema=self.schema)

    def answer(
        self,
        step_id: str,
        status: Status = Status.PROVED,
        facts: Facts | None = None,
        evidence: Sequence[Evidence] = (),
        words: str = "seen",
    ) -> "Walk":
        step = self.checklist.step(step_id)
        self.record = self.record.begin(step, {}, by=self.by, at=self.now)
        self.now += timedelta(seconds=30)
        outcome = Outcome(status, words, StepFacts.read(facts or {}), tuple(evidence))
        self.record = self.record.finish(outcome, at=self.now)
        self.now += timedelta(seconds=30)
        return self

    def through(self, *sections: str) -> "Walk":
        for step in self.checklist.steps_for(self.kind):
            if step.section in sections:
                found = {"found": self.kind.value, "class": self.kind.value}
                status = Status.ATTESTED if step.attested else Status.PROVED
                self.answer(step.id, status, found if step.id == "class" else {})
        return self


@dataclass
class FakeKeys:
    """Signatures that are hashes: who may sign in which role is a dictionary."""

    allowed: Mapping[str, tuple[str, ...]]

    def sign(self, document: bytes, namespace: str, who: str) -> bytes:
        digest = sha256(document + namespace.encode() + who.encode()).hexdigest()
        return f"{who} {digest}\n".encode()

    def verify(self, document: bytes, signature: bytes, namespace: str) -> Signature:
        who = signature.decode(errors="replace").split(" ")[0]
        if signature != self.sign(document, namespace, who):
            raise BadSignature("The signature does not fit the bytes.")
        if namespace not in self.allowed.get(who, ()):
            raise BadSignature(f"{who} may not sign for {namespace}.")
        return Signature(who, f"SHA256:{who}")


KEYS = FakeKeys(
    {
        ANA: (GO, CLOSE, "review@d1-preflight"),
        BEN: ("review@d1-preflight",),
    }
)


@dataclass(frozen=True)
class FakeSigner:
    """One person's hand at `FakeKeys`, as the session's port has it."""

    keys: FakeKeys
    identity: str

    @property
    def fingerprint(self) -> str:
        return f"SHA256:{self.identity}"

    def sign(self, document: bytes, namespace: str) -> bytes:
        return self.keys.sign(document, namespace, self.identity)

    def is_good(self, document: bytes, signature: bytes, namespace: str) -> bool:
        try:
            self.keys.verify(document, signature, namespace)
        except BadSignature:
            return False
        return True


class Hand(Protocol):
    """Whoever signs: a fake, or a real key."""

    @property
    def identity(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    def sign(self, document: bytes, namespace: str) -> bytes: ...


def signed_go(walk: Walk, files: dict[str, bytes], hand: Hand | None = None) -> None:
    """Sign the plan as `sign_go` does, and answer the step."""
    signer = hand or FakeSigner(KEYS, ANA)
    database = walk.record.database
    signed_at, expires = instant(walk.now), instant(walk.now + timedelta(minutes=30))
    criteria: Facts = {"error_rate_percent": "0.1", "watch_minutes": 5}
    plan: dict[str, object] = {
        "schema": walk.record.schema,
        "decision": "go",
        "decided_by": signer.identity,
        "decided_at": signed_at,
        "expires_at": expires,
        "migration": walk.record.migration,
        "class": walk.kind.value,
        "checklist": walk.record.checklist,
        "rows_at_risk": 0,
        "subjects": dict(walk.record.subjects),
        "database": {
            "name": database.name,
            "id": database.id,
            "environment": database.environment,
            "target": database.target,
        },
        "tools": dict(walk.record.tools),
        "proofs": {"predicted_ms": 900},
        "criteria": criteria,
        **_history(walk.record),
        "step": [
            {"id": a.step, "status": a.status.value, "words": a.words}
            for a in {a.step: a for a in walk.record.attempts}.values()
        ],
    }
    files["go.toml"] = dump_facts(plan)
    files["go.toml.sig"] = signer.sign(files["go.toml"], GO)
    facts: Facts = {
        "decision": "go",
        "go_sha256": sha256(files["go.toml"]).hexdigest(),
        "signature_sha256": sha256(files["go.toml.sig"]).hexdigest(),
        "signer": signer.identity,
        "fingerprint": signer.fingerprint,
        "signed_at": signed_at,
        "expires_at": expires,
        "criteria": criteria,
    }
    walk.answer("go", Status.ATTESTED, facts)


def _history(record: Record) -> dict[str, object]:
    if record.schema == 1:
        return {}
    before = record.attempts
    return {"history": {"attempts": len(before), "sha256": history_sha256(before)}}


def closed_in_chain(
    before: Sequence[Mapping[str, bytes]] = (),
    *,
    migration: str = "0057_add_team_billing.sql",
    hand: Hand | None = None,
    start: datetime = START,
    more: Mapping[str, bytes] = MappingProxyType({}),
    ledger: Sequence[LedgerRow] = (),
    database: DatabaseRef | None = None,
) -> dict[str, bytes]:
    """A whole record of schema 2, closed after these records of the same database."""
    signer = hand or FakeSigner(KEYS, ANA)
    name = "evidence/001-named.out"
    files = {name: f"{migration}\n".encode(), **more}
    walk = Walk(shipped_checklist(), schema=2, by=signer.identity)
    about = database or walk.record.database
    walk.record, walk.now = replace(walk.record, migration=migration, database=about), start
    walk.through(*BEFORE_GO)
    seen = Evidence(("wrangler", "--version"), 0, 12, {name: sha256(files[name]).hexdigest()})
    first = replace(walk.record.attempts[0], evidence=(seen,))
    walk.record = replace(walk.record, attempts=(first, *walk.record.attempts[1:]))
    signed_go(walk, files, signer)
    walk.through("apply", "verification")
    files["SUMMARY.md"] = _closing_summary(walk, signer)
    sums = {path: sha256(data).hexdigest() for path, data in files.items()}
    closed = [record for record in map(read_closed, before) if record]
    facts = replace(
        _closing_facts(walk, signer),
        files=bound_files(walk.record, sums, timeline_is_bound=False),
        chain=next_link(closed, ledger, migration),
    )
    walk.answer("close", Status.ATTESTED, facts.written())
    files["record.toml"] = dump_record(walk.record)
    files["record.toml.sig"] = signer.sign(files["record.toml"], CLOSE)
    return files


def _closing_facts(walk: Walk, signer: "Hand") -> CloseFacts:
    return CloseFacts(
        signer=signer.identity,
        fingerprint=signer.fingerprint,
        closed_at=instant(walk.now),
        end=KEPT,
    )


def _closing_summary(walk: Walk, signer: "Hand") -> bytes:
    outcome = Outcome(Status.ATTESTED, "seen", _closing_facts(walk, signer))
    step = walk.checklist.step("close")
    begun = walk.record.begin(step, {}, by=walk.by, at=walk.now)
    return summary_bytes(begun.finish(outcome, at=walk.now))


def closed_files(
    kind: Kind = Kind.DESTRUCTIVE, hand: Hand | None = None
) -> tuple[dict[str, bytes], Checklist]:
    """A whole record of schema 1, closed and signed, with one piece of evidence."""
    checklist = shipped_checklist()
    walk = Walk(checklist, kind)
    files = {"evidence/001-named.out": b"0057_add_team_billing.sql\n"}
    digest = sha256(files["evidence/001-named.out"]).hexdigest()
    seen = Evidence(("wrangler", "--version"), 0, 12, {"evidence/001-named.out": digest})
    walk.through(*BEFORE_GO)
    first = replace(walk.record.attempts[0], evidence=(seen,))
    walk.record = replace(walk.record, attempts=(first, *walk.record.attempts[1:]))
    signed_go(walk, files, hand)
    walk.through("apply", "verification", "close")
    files["record.toml"] = dump_record(walk.record)
    files["record.toml.sig"] = (hand or FakeSigner(KEYS, ANA)).sign(files["record.toml"], CLOSE)
    return files, checklist

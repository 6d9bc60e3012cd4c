"""Every line of every file of a closed record: flipped, deleted, doubled, moved, it is refused."""

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path

import pytest

from core.record_values import (
    ANA,
    BEN,
    KEYS,
    SQL,
    START,
    closed_in_chain,
    shipped_checklist,
)
from d1_preflight.adapters.ssh.allowed_signers import allow_signer
from d1_preflight.adapters.ssh.keys import make_key
from d1_preflight.adapters.ssh.sshsig import SshSigner, SshVerifier
from d1_preflight.core.record.file import load_record
from d1_preflight.core.record.review import CLOSED_RECORD, PLAN, Subject, Verdict, statement
from d1_preflight.core.record.signing import CLOSE, GO, REVIEW, Verifier
from d1_preflight.core.verify.place import Place
from d1_preflight.core.verify.verify import verify_record

CHECKLIST = shipped_checklist()
HERE = Place("marketplace-production/0057_add_team_billing")
MORE = {
    "evidence/002-copied.out": b"one\ntwo\nthree\n",
    "evidence/noted.txt": b"four\nfive\n",
}
FREE = ("postmortem.md",)
EVERY = 61  # the sample takes each 61st tampering
Files = dict[str, bytes]


class Fake:
    """One person's hand at the fake keys."""

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self.fingerprint = f"SHA256:{identity}"

    def sign(self, document: bytes, namespace: str) -> bytes:
        return KEYS.sign(document, namespace, self.identity)


def whole(ana: Fake | SshSigner, ben: Fake | SshSigner) -> Files:
    """A closed record with a summary, evidence, a review of its GO and one of itself."""
    files = closed_in_chain(hand=ana, more=MORE)
    files = closed_in_chain(hand=ana, more=MORE | reviewed(files, PLAN, ben))
    return files | reviewed(files, CLOSED_RECORD, ben) | {"postmortem.md": b"all well\n"}


def reviewed(files: Files, subject: Subject, ben: Fake | SshSigner) -> Files:
    record = load_record(files["record.toml"])
    words = statement(files, record, subject, Verdict.APPROVED, "", reviewer=BEN, at=START)
    name = f"{subject.stem}.review.toml"
    return {name: words, f"{name}.sig": ben.sign(words, REVIEW)}


def flipped(lines: list[bytes], at: int) -> list[bytes]:
    line = lines[at]
    middle = len(line) // 2
    other = line[:middle] + bytes([line[middle] ^ 1]) + line[middle + 1 :] if line else b"x"
    return [*lines[:at], other, *lines[at + 1 :]]


def deleted(lines: list[bytes], at: int) -> list[bytes]:
    return [*lines[:at], *lines[at + 1 :]]


def doubled(lines: list[bytes], at: int) -> list[bytes]:
    return [*lines[: at + 1], *lines[at:]]


def moved(lines: list[bytes], at: int) -> list[bytes]:
    rest = deleted(lines, at)
    to = (at + len(lines) // 2) % len(lines)
    return [*rest[:to], lines[at], *rest[to:]]


WAYS: tuple[Callable[[list[bytes], int], list[bytes]], ...] = (flipped, deleted, doubled, moved)


def tampered(files: Mapping[str, bytes]) -> Iterator[tuple[str, Files]]:
    """Each tampering of one line, and what it is."""
    for name in sorted(set(files) - set(FREE)):
        lines = files[name].split(b"\n")
        for at in range(len(lines)):
            for way in WAYS:
                other = b"\n".join(way(lines, at))
                if other != files[name]:
                    yield f"{name}:{at + 1} {way.__name__}", {**files, name: other}


def accepted(files: Files, verifier: Verifier, every: int) -> tuple[list[str], int]:
    """The tamperings that verify finds nothing wrong with, and how many were tried."""
    tried, good = 0, []
    for number, (what, other) in enumerate(tampered(files)):
        if number % every:
            continue
        tried += 1
        if not verify_record(other, CHECKLIST, verifier, place=HERE).problems:
            good.append(what)
    return good, tried


def test_the_record_is_good_before_it_is_tampered_with() -> None:
    files = whole(Fake(ANA), Fake(BEN))

    assert verify_record(files, CHECKLIST, KEYS, place=HERE).problems == ()
    assert sha256(SQL).hexdigest() == load_record(files["record.toml"]).subjects["migration"]


def test_a_sample_of_all_tamperings_is_refused() -> None:
    good, tried = accepted(whole(Fake(ANA), Fake(BEN)), KEYS, EVERY)

    assert good == []
    assert tried > len(WAYS) * len(MORE)


@pytest.mark.matrix
def test_every_line_tampered_with_is_refused(tmp_path: Path) -> None:
    signers = tmp_path / "allowed_signers"
    people = []
    for name, identity, roles in (("ana", ANA, (GO, CLOSE)), ("ben", BEN, (REVIEW,))):
        key = make_key(tmp_path / name, identity)
        allow_signer(signers, identity, key.public, roles)
        people.append(SshSigner(identity, key, signers))
    files, verifier = whole(*people), SshVerifier(signers)
    assert verify_record(files, CHECKLIST, verifier, place=HERE).problems == ()

    good, tried = accepted(files, verifier, 1)

    lines = sum(data.count(b"\n") + 1 for data in files.values())
    print(f"{lines} lines of {len(files)} files: {tried} tried, {tried - len(good)} refused")
    assert good == []

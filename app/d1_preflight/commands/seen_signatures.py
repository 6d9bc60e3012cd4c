"""Checks signatures as of now; of a key that has expired since, as of when others saw them.

A time that the expired key itself signed counts for nothing: whoever stole the key could sign it.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from hashlib import sha256

from d1_preflight.adapters.ssh.sshsig import KeyExpired, SshVerifier
from d1_preflight.core.errors import BadSignature, PreflightError
from d1_preflight.core.record.apply_facts import CloseFacts, GoFacts
from d1_preflight.core.record.facts import moment
from d1_preflight.core.record.file import load_record, load_table
from d1_preflight.core.record.review import CLOSED_RECORD, PLAN, statements_about
from d1_preflight.core.record.signing import CLOSE, REVIEW, Signature, Verifier
from d1_preflight.core.verify.chain import RECORD_FILE, RECORD_SIGNATURE
from d1_preflight.core.verify.links import Chain
from d1_preflight.lazy_dataclass import dataclass, field, replace

Files = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Sighting:
    """When somebody else saw these bytes, by their sha256."""

    at: datetime
    hashes: frozenset[str]


@dataclass(frozen=True, slots=True)
class SeenVerifier:
    """A verifier that asks for sightings only where a key has expired; each answer is kept."""

    now: SshVerifier
    sightings: Callable[[], Iterable[Sighting]] = tuple
    _known: dict[tuple[str, str, str], Signature | BadSignature] = field(default_factory=dict)

    def verify(self, document: bytes, signature: bytes, namespace: str) -> Signature:
        """Return who signed these bytes in this role; raises BadSignature."""
        key = (sha256(document).hexdigest(), sha256(signature).hexdigest(), namespace)
        if key not in self._known:
            try:
                self._known[key] = self._verified(document, signature, namespace)
            except BadSignature as error:
                self._known[key] = error
        found = self._known[key]
        if isinstance(found, BadSignature):
            raise found
        return found

    def _verified(self, document: bytes, signature: bytes, namespace: str) -> Signature:
        try:
            return self.now.verify(document, signature, namespace)
        except KeyExpired:
            digest = sha256(document).hexdigest()
            for sighting in self.sightings():
                if digest in sighting.hashes:
                    with suppress(BadSignature):
                        then = replace(self.now, at=sighting.at)
                        return then.verify(document, signature, namespace)
            raise


def ask_ahead(records: Iterable[tuple[Files, Verifier | None]]) -> None:
    """Ask ssh-keygen about several signatures at a time; what it says is judged later."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for files, verifier in records:
            if verifier is not None:
                for signed in _signed(files):
                    pool.submit(verifier.verify, *signed)


def _signed(files: Files) -> Iterator[tuple[bytes, bytes, str]]:
    """The documents of a record, their signatures and roles."""
    for subject in (PLAN, CLOSED_RECORD):
        if subject.file in files and subject.signature in files:
            yield files[subject.file], files[subject.signature], subject.namespace
        for name in statements_about(files, subject):
            if f"{name}.sig" in files:
                yield files[name], files[f"{name}.sig"], REVIEW


def sightings(
    files: Files, now: SshVerifier, chain: Chain | None, read: Callable[[str], Files]
) -> Iterator[Sighting]:
    """Who else saw this record: its closer, its reviewers, and those who closed later records.

    Only signatures of keys that are good today count. `read` gives a later record's files by its
    folder.
    """
    yield from _by_close(files, now)
    yield from _by_reviews(files, now)
    digest = sha256(files.get(RECORD_FILE, b"")).hexdigest()
    mine = next((r for r in chain.records if r.sha256 == digest), None) if chain else None
    for later in chain.later(mine) if chain and mine else ():
        their = read(later.folder)
        if sha256(their.get(RECORD_FILE, b"")).hexdigest() == later.sha256:
            named = [h for h in later.link.previous if h.sha256 == digest] if later.link else []
            reviews = {line.partition("  ")[0] for head in named for line in head.reviews}
            for sighting in _by_close(their, now):
                yield Sighting(sighting.at, frozenset({digest, *reviews, *_named_by(files)}))


def _by_close(files: Files, now: SshVerifier) -> Iterator[Sighting]:
    """The close names GO and the reviews of its time."""
    document = files.get(RECORD_FILE, b"")
    with suppress(PreflightError, ValueError):
        now.verify(document, files.get(RECORD_SIGNATURE, b""), CLOSE)
        closed = CloseFacts.from_attempt(load_record(document).last(CloseFacts.step))
        yield Sighting(moment(closed.closed_at), frozenset(_named_by(files)))


def _by_reviews(files: Files, now: SshVerifier) -> Iterator[Sighting]:
    for subject in (PLAN, CLOSED_RECORD):
        for name in statements_about(files, subject):
            with suppress(PreflightError, ValueError):
                now.verify(files[name], files.get(f"{name}.sig", b""), REVIEW)
                stated = load_table(files[name], name)
                seen = (files.get(subject.file, b""), files.get(subject.signature, b""))
                digests = tuple(sha256(data).hexdigest() for data in seen)
                if digests == (stated.text("file_sha256"), stated.text("signature_sha256")):
                    more = _named_by(files) if subject is CLOSED_RECORD else ()
                    at = moment(stated.text("reviewed_at"))
                    yield Sighting(at, frozenset({digests[0], *more}))


def _named_by(files: Files) -> Iterator[str]:
    """The hashes of the files that a record itself names."""
    with suppress(PreflightError):
        record = load_record(files.get(RECORD_FILE, b""))
        yield record.last_facts(GoFacts).go_sha256
        for line in record.last_facts(CloseFacts).files:
            yield line.partition("  ")[0]

"""Keeps which signatures were good, so that the same bytes are not asked of ssh-keygen again.

Only “these bytes were signed so, in this role, by whom these signers name” is kept, under a hash of
everything that it depends on; who may do what is judged every time. What is kept between two runs
lies in the user's own cache: a file that a pull request, another user or a CI cache could have
brought is not read.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from d1_preflight.adapters.git.checkout import checkout_of
from d1_preflight.adapters.own_cache import KeptEntries, user_cache
from d1_preflight.core.record.signing import Signature
from d1_preflight.lazy_dataclass import dataclass, field

CACHE_OFF = "PREFLIGHT_NO_CACHE"
_FORM = "d1-preflight signature verdicts, 1"
_FILE = "verdicts.json"
_CACHE = KeptEntries(_FORM, "good", most=10_000, largest=8_000_000)
_CHANGES_BY_ITSELF = re.compile(rb"valid-(?:before|after)|cert-authority", re.IGNORECASE)
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


@dataclass(slots=True)
class Verdicts:
    """The good signatures of this run, and with a `file` those of earlier ones."""

    file: Path | None = None
    found: dict[str, Signature] = field(default_factory=dict)
    principals: dict[tuple[str, ...], str] = field(default_factory=dict)
    _kept: dict[str, Signature] | None = None
    _new: dict[str, Signature] = field(default_factory=dict)

    def get(self, key: str) -> Signature | None:
        """Who signed what the key stands for, where that is known."""
        if key not in self.found and self.file is not None:
            if self._kept is None:
                self._kept = _read(self.file)
            if key in self._kept:
                self.found[key] = self._kept[key]
        return self.found.get(key)

    def put(self, key: str, signature: Signature, signers: bytes) -> None:
        """Note a good signature; it is kept for later runs where time alone changes nothing."""
        self.found[key] = signature
        if not changes_by_itself(signers):
            self._new[key] = signature

    def save(self) -> None:
        """Keep what is new; a cache that cannot be written is only slower."""
        if self.file is None or not self._new:
            return
        whole = {**_read(self.file), **self._new}
        held = {key: [known.principal, known.fingerprint] for key, known in whole.items()}
        _CACHE.write(self.file, held)


def verdict_key(
    document: bytes,
    signature: bytes,
    namespace: str,
    signers: bytes,
    *,
    at: datetime | None,
    program: Path,
) -> str:
    """A hash of everything that the answer of ssh-keygen depends on."""
    parts = (
        *(_FORM, namespace, "now" if at is None else at.astimezone(UTC).isoformat()),
        *(sha256(data).hexdigest() for data in (document, signature, signers)),
        *mark_of(program),
    )
    return sha256(json.dumps(parts).encode()).hexdigest()


def mark_of(program: Path) -> tuple[str | int, ...]:
    """What another program of that name, or another version of it, would have otherwise."""
    real = Path(os.path.realpath(program))
    known = real.stat()
    whole = (known.st_dev, known.st_ino, known.st_size, known.st_mtime_ns, known.st_ctime_ns)
    return (str(real), *whole)


def changes_by_itself(signers: bytes) -> bool:
    """Whether time alone, or a certificate, decides whom this allowed_signers file names."""
    return _CHANGES_BY_ITSELF.search(signers) is not None


def open_verdicts(environ: Mapping[str, str], places: Iterable[Path]) -> Verdicts:
    """The verdicts of earlier runs, or none: in CI, where that is asked for, or in a checkout.

    `places` are what is judged; a cache in one of their checkouts could be part of a pull request.
    """
    if environ.get("CI") or environ.get(CACHE_OFF):
        return Verdicts()
    file = user_cache() / _FILE
    real = Path(os.path.realpath(file))
    for place in places:
        tree = Path(os.path.realpath(checkout_of(place) or place))
        if real.is_relative_to(tree):
            return Verdicts()
    return Verdicts(file)


def _read(file: Path) -> dict[str, Signature]:
    return {key: Signature(*who) for key, who in _CACHE.read(file).items() if _is_verdict(who)}


def _is_verdict(who: object) -> bool:
    match who:
        case [str(principal), str(fingerprint)]:
            return bool(principal) and _FINGERPRINT.fullmatch(fingerprint) is not None
        case _:
            return False

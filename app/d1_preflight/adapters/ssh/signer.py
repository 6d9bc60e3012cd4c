"""The person at the keyboard as a signer: who they are, with which key, and what is missing."""

from collections.abc import Mapping
from pathlib import Path

from d1_preflight.adapters.ssh.allowed_signers import allow_signer, key_words, read_allowed_signers
from d1_preflight.adapters.ssh.keys import OWN_KEY, Key, find_keys, make_key
from d1_preflight.adapters.ssh.sshsig import SshSigner, verify
from d1_preflight.core.errors import BadSignature, ProjectError
from d1_preflight.core.record.signing import CLOSE, GO, REVIEW, Signature
from d1_preflight.lazy_dataclass import dataclass

_ROLES = (GO, CLOSE, REVIEW)


@dataclass(slots=True)
class Operator:
    """Signs with the key that the settings or git name; else the agent's, or one of `~/.ssh`.

    Finding keys runs programs, so it waits until somebody asks.
    """

    identity: str
    project: Path
    allowed_signers: Path
    environ: Mapping[str, str]
    named_key: str = ""
    _found: Key | None = None

    @property
    def fingerprint(self) -> str:
        """The key's fingerprint; raises BadSignature or ProjectError where no key can sign."""
        return self._signer().fingerprint

    @property
    def missing(self) -> tuple[str, ...]:
        """What `prepare` does, in words; empty when there is nothing to do, or nothing it can do.

        A named key that cannot be used is not prepared: signing says what is wrong.
        """
        try:
            key = self._key()
        except ProjectError:
            return ()
        steps = []
        if key is None:
            steps.append(f"creates the SSH key {self._own_path()}")
        if key is None or not self._is_allowed(key):
            steps.append(
                f"adds {self.identity} to {self.allowed_signers.name} for go, close, review"
            )
        return tuple(steps)

    def prepare(self) -> None:
        """Make the key and name it in `allowed_signers`, as `missing` said."""
        key = self._key() or make_key(self._own_path(), self.identity)
        self._found = key
        if not self._is_allowed(key):
            allow_signer(self.allowed_signers, self.identity, key.public, _ROLES)

    def sign(self, document: bytes, namespace: str) -> bytes:
        """Sign these bytes for one role, verified at once against `allowed_signers`."""
        signer = self._signer()
        signature = signer.sign(document, namespace)
        if not signer.is_good(document, signature, namespace):
            raise BadSignature(
                f"The key of {self.identity} is not allowed for {namespace}.",
                hint=f"Ask for it to be named in {self.allowed_signers}.",
            )
        return signature

    def is_good(self, document: bytes, signature: bytes, namespace: str) -> bool:
        """Whether an allowed key signed exactly these bytes for this role."""
        stand_in = Key("", "verification only")
        key = self._found or stand_in
        return SshSigner(self.identity, key, self.allowed_signers).is_good(
            document, signature, namespace
        )

    def verify(self, document: bytes, signature: bytes, namespace: str) -> Signature:
        """Return who signed these bytes in this role; raises BadSignature."""
        return verify(document, signature, namespace, self.allowed_signers)

    def _signer(self) -> SshSigner:
        key = self._key()
        if key is None:
            raise BadSignature(
                "There is no SSH key to sign with.",
                hint="Make one with ssh-keygen -t ed25519, or let preflight create one.",
            )
        return SshSigner(self.identity, key, self.allowed_signers)

    def _key(self) -> Key | None:
        if self._found is None:
            keys = find_keys(project=self.project, named=self.named_key, environ=self.environ)
            self._found = next(iter(keys), None)
        return self._found

    def _own_path(self) -> Path:
        return Path(self.environ.get("HOME") or "~").expanduser() / ".ssh" / OWN_KEY

    def _is_allowed(self, key: Key) -> bool:
        words = key_words(key.public)
        return any(
            signer.key == words and self.identity in signer.principals
            for signer in read_allowed_signers(self.allowed_signers)
        )

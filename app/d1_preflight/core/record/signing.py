"""What is signed, under which namespace: a key may be allowed for one role and not another."""

from typing import Protocol

from d1_preflight.lazy_dataclass import dataclass

GO = "go@d1-preflight"
CLOSE = "close@d1-preflight"
REVIEW = "review@d1-preflight"


@dataclass(frozen=True, slots=True)
class Signature:
    """Whose signature it is: the principal as `allowed_signers` names it, and the key."""

    principal: str
    fingerprint: str


class Verifier(Protocol):
    """Checks signatures against `allowed_signers`, as `ssh-keygen -Y verify` does."""

    def verify(self, document: bytes, signature: bytes, namespace: str) -> Signature:
        """Return who signed these bytes in this role; raises BadSignature."""

"""Signs exact bytes with an SSH key and verifies such signatures, through ssh-keygen.

The document goes in on stdin and the signature comes out on stdout: pointed at a file with an old
`.sig` beside it, `ssh-keygen -Y sign` keeps the old one and still exits 0. For the same reason a
fresh signature is verified at once.
"""

import os
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from d1_preflight.adapters.processes import Answer
from d1_preflight.adapters.ssh.keys import Key, own_program, ssh_keygen
from d1_preflight.adapters.ssh.verdicts import Verdicts, verdict_key
from d1_preflight.core.errors import BadSignature
from d1_preflight.core.record.signing import Signature
from d1_preflight.disk import writing
from d1_preflight.lazy_dataclass import dataclass

_GOOD = re.compile(r'^Good "(?P<namespace>[^"]+)" signature for (?P<who>\S+) .*(?P<key>SHA256:\S+)')
_DAMAGED = ("Couldn't parse signature", "sshsig_armor", "sshsig_get_pubkey", "invalid format")
_EXPIRED = "key has expired"
_REASONS = (
    ("incorrect passphrase", "its passphrase was not given or is wrong"),
    ("incorrect signature", "the signed text was changed, or the signature belongs to another"),
    ("namespace does not match", "it was made for another role"),
    ("not permitted for use in signature namespace", "the key is not allowed for this role"),
    (_EXPIRED, "the key has expired in allowed_signers"),
    ("key is not yet valid", "the key is not valid yet in allowed_signers"),
    *((mark, "the signature file is damaged: it holds no signature") for mark in _DAMAGED),
    ("Unable to open allowed keys file", "there is no allowed_signers file"),
    ("No principal matched", "allowed_signers does not name this key"),
)


_BEGIN, _END = b"-----BEGIN SSH SIGNATURE-----", b"-----END SSH SIGNATURE-----"
_PLAIN_LINE = re.compile(
    rb"(?P<who>[\w.+-]+@[\w.-]+)[ \t]+(?:namespaces=\"[\w@.,-]+\"[ \t]+)?"
    rb"(?:ssh|ecdsa|sk)-\S+[ \t]+(?P<key>[A-Za-z0-9+/=]+)(?:[ \t\r]|$)"
)
_WIDTH = 70
_MAGIC = b"SSHSIG"


class KeyExpired(BadSignature):
    """The signature fits, but its key has expired in allowed_signers since, or is not valid yet."""


@dataclass(frozen=True, slots=True)
class SshSigner:
    """The operator's key and name, and the file of allowed keys."""

    identity: str
    key: Key
    allowed_signers: Path

    @property
    def fingerprint(self) -> str:
        """The key's SHA256 fingerprint, as ssh-keygen shows it."""
        if blob := _plain_key(self.key.public):
            return f"SHA256:{b64encode(sha256(blob).digest()).decode().rstrip('=')}"
        answer = ssh_keygen("-l", "-f", "-", stdin=f"{self.key.public}\n".encode())
        found = re.search(r"SHA256:\S+", answer.text)
        if found is None:
            raise BadSignature(f"The key from {self.key.origin} is not a key: {answer.reason}")
        return found[0]

    @property
    def needs_terminal(self) -> bool:
        """Whether signing asks the person for a passphrase or a touch."""
        return self.key.needs_terminal

    def sign(self, document: bytes, namespace: str) -> bytes:
        """Sign these bytes for one role; the signature is proved good before it is returned."""
        if self.needs_terminal and not _has_terminal():
            raise BadSignature(
                f"The key from {self.key.origin} asks for a passphrase or a touch; "
                "there is no terminal to ask at.",
                hint="Load it once with ssh-add, then sign again.",
            )
        with _folder() as folder:
            path = self.key.path or _write(folder / "key.pub", f"{self.key.public}\n".encode())
            answer = ssh_keygen(
                "-Y", "sign", "-q", "-n", namespace, "-f", str(path),
                stdin=document, at_terminal=self.needs_terminal,
            )  # fmt: skip
            if answer.exit_code != 0 or not answer.out:
                raise BadSignature(
                    f"The key from {self.key.origin} did not sign: {_why(answer)}.",
                    hint="Check the key with: ssh-add -l, or choose another one.",
                )
            own = _write(folder / "signers", f"{self.identity} {self.key.public}\n".encode())
            verify(document, answer.out, namespace, own, identity=self.identity)
        return answer.out

    def is_good(self, document: bytes, signature: bytes, namespace: str) -> bool:
        """Whether anyone whom allowed_signers names for this role signed exactly these bytes."""
        try:
            verify(document, signature, namespace, self.allowed_signers)
        except BadSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SshVerifier:
    """Checks signatures against one allowed_signers file or its bytes; with `at`, as of then.

    What `verdicts` knows of the bytes is not asked again; a signature's form is judged every time.
    """

    allowed_signers: Path | bytes
    at: datetime | None = None
    verdicts: Verdicts | None = None

    def verify(self, document: bytes, signature: bytes, namespace: str) -> Signature:
        """Return who signed these bytes in this role; raises BadSignature."""
        _require_whole(signature)
        known, signers = self.verdicts, self.allowed_signers
        program = own_program("ssh-keygen") if known else None
        if known is None or program is None or isinstance(signers, Path):
            return verify(document, signature, namespace, signers, at=self.at)
        key = verdict_key(document, signature, namespace, signers, at=self.at, program=program)
        found = known.get(key)
        if found is None:
            found = verify(
                document, signature, namespace, signers, at=self.at, principals=known.principals
            )
            known.put(key, found, signers)
        return found


def verify(
    document: bytes,
    signature: bytes,
    namespace: str,
    allowed_signers: Path | bytes,
    *,
    identity: str | None = None,
    at: datetime | None = None,
    principals: dict[tuple[str, ...], str] | None = None,
) -> Signature:
    """Prove who signed these bytes for this role, or raise BadSignature with the reason.

    Without `identity`, whoever allowed_signers names for the key. `at` asks whether the key was
    valid then (it may have expired since). `principals` keeps whom it names, by key.
    """
    _require_whole(signature)
    digest = sha256(allowed_signers).hexdigest() if isinstance(allowed_signers, bytes) else ""
    likely = _named_plainly(signature, allowed_signers)
    with _folder() as folder:
        saved = str(_write(folder / "signature", signature))
        moment = (f"-Overify-time={at.astimezone(UTC):%Y%m%d%H%M%SZ}",) if at else ()
        if isinstance(allowed_signers, bytes):
            allowed_signers = _write(folder / "allowed_signers", allowed_signers)
        words = ("-s", saved, "-f", str(allowed_signers), *moment)
        of_key = (sha256(_public_key(signature)).hexdigest(), digest, *moment)
        who = identity or (principals or {}).get(of_key) or likely or _principal(words)
        answer = ssh_keygen("-Y", "verify", "-n", namespace, "-I", who, *words, stdin=document)
    found = _GOOD.match(answer.text)
    if answer.exit_code != 0 or found is None or found["namespace"] != namespace:
        refusal = KeyExpired if _EXPIRED in answer.reason else BadSignature
        raise refusal(
            f"The signature of {who} for {namespace} is not good: {_why(answer)}.",
            hint="Treat the record as edited until the signer confirms it.",
        )
    if principals is not None:
        principals[of_key] = who
    return Signature(who, found["key"])


def _plain_key(public: str) -> bytes:
    """The bytes of a public key that is no certificate; b"" where ssh-keygen has to look at it."""
    name, _, more = public.partition(" ")
    try:
        blob = b64decode(more.partition(" ")[0], validate=True)
    except ValueError:
        return b""
    is_plain = "-cert-" not in name and blob[4:].startswith(name.encode())
    return blob if is_plain and int.from_bytes(blob[:4]) == len(name) > 0 else b""


def _named_plainly(signature: bytes, signers: Path | bytes) -> str:
    """Whom the first line with this key names, if one person in certain roles and nothing else.

    ssh-keygen, which judges the signature by the same line, need not be asked for the name then.
    """
    key = b64encode(_public_key(signature))
    for line in signers.split(b"\n") if isinstance(signers, bytes) else ():
        if key in line and not line.lstrip().startswith(b"#"):
            found = _PLAIN_LINE.match(line)
            return found["who"].decode() if found and found["key"] == key else ""
    return ""


def _public_key(signature: bytes) -> bytes:
    """The public key within a signature, which decides whom allowed_signers names for it."""
    blob = b64decode(b"".join(signature.split(b"\n")[1:-2]))
    start = len(_MAGIC) + 8  # the version, and the key's length
    return blob[start : start + int.from_bytes(blob[start - 4 : start])]


def _require_whole(signature: bytes) -> None:
    if not _is_whole(signature):
        raise BadSignature(
            "The signature file is damaged: it holds no signature as ssh-keygen writes it.",
            hint="Restore the signature file from git; if it is gone, sign again.",
        )


def _is_whole(signature: bytes) -> bool:
    """Whether these bytes are one signature, exactly: ssh-keygen reads over what lies around it."""
    try:
        blob = b64decode(b"".join(signature.split(b"\n")[1:-2]), validate=True)
    except ValueError:
        return False
    text = b64encode(blob)
    lines = (text[n : n + _WIDTH] for n in range(0, len(text), _WIDTH))
    return signature == b"\n".join((_BEGIN, *lines, _END, b""))


def _principal(words: tuple[str, ...]) -> str:
    answer = ssh_keygen("-Y", "find-principals", *words)
    names = answer.text.split()
    if answer.exit_code != 0 or not names:
        hint = "If you trust the key, add its line to allowed_signers in a reviewed commit."
        if any(mark in answer.reason for mark in _DAMAGED):
            hint = "Restore the signature file from git; if it is gone, sign again."
        elif "Unable to open allowed keys file" in answer.reason:
            hint = "Bring the file back from git, or name it: --allowed-signers FILE"
        refusal = KeyExpired if _EXPIRED in answer.reason else BadSignature
        raise refusal(f"The signer is unknown: {_why(answer)}.", hint=hint)
    return names[0]


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _why(answer: Answer) -> str:
    known = (words for mark, words in _REASONS if mark in answer.reason)
    return next(known, answer.reason or f"ssh-keygen ended with {answer.exit_code}")


@contextmanager
def _folder() -> Iterator[Path]:
    import tempfile

    with (
        writing(Path(tempfile.gettempdir()), "Nothing was signed or verified."),
        tempfile.TemporaryDirectory(prefix="preflight-") as name,
    ):
        yield Path(name)


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path

"""The `allowed_signers` file: who may sign in which role, in the form ssh-keygen reads."""

import re
from collections.abc import Sequence
from pathlib import Path

from d1_preflight.adapters.regular_file import MAX_BYTES, read_file
from d1_preflight.adapters.store import make_folder, write_durably
from d1_preflight.core.errors import ProjectError, Rejected
from d1_preflight.lazy_dataclass import dataclass

_LINE = re.compile(
    r"^(?P<principals>\"[^\"]+\"|\S+)\s+"
    r"(?:(?P<options>(?!(?:ssh|ecdsa|sk)-)(?:[^\s\"]|\"[^\"]*\")+)\s+)?"
    r"(?P<type>(?:ssh|ecdsa|sk)-\S+)\s+(?P<key>[A-Za-z0-9+/=]+)(?:\s.*)?$"
)
_PRINCIPAL = re.compile(r"^[\w.+-]+(?:@[\w.-]+)?$")


@dataclass(frozen=True, slots=True)
class AllowedSigner:
    """One line: a key, the principals it speaks for, and the roles it may sign in (() is all)."""

    principals: tuple[str, ...]
    key: str
    namespaces: tuple[str, ...] = ()
    options: str = ""

    @property
    def line(self) -> str:
        """The line as ssh-keygen reads it."""
        words = (",".join(self.principals), self.options, self.key)
        return " ".join(word for word in words if word)


def read_allowed_signers(path: Path) -> tuple[AllowedSigner, ...]:
    """Read the file; an absent one allows nobody. Raises ProjectError for a line it cannot read."""
    return tuple(
        _signer(line, f"{path}:{number}")
        for number, line in enumerate(_lines(path), 1)
        if line.strip() and not line.lstrip().startswith("#")
    )


def allow_signer(path: Path, principal: str, public_key: str, namespaces: Sequence[str]) -> bool:
    """Add a key for a person and these roles; False when the file already allows all of it."""
    if not _PRINCIPAL.match(principal):
        raise Rejected(
            f'"{principal}" cannot name a person in {path.name}.',
            hint="Use an e-mail address: letters, digits and . + - _ @ only.",
        )
    key = key_words(public_key)
    held = [one for one in read_allowed_signers(path) if one.key == key]
    mine = [one for one in held if principal in one.principals]
    if any(not one.namespaces or set(namespaces) <= set(one.namespaces) for one in mine):
        return False
    options = f'namespaces="{",".join(namespaces)}"'
    _append(path, AllowedSigner((principal,), key, tuple(namespaces), options).line)
    return True


def key_words(public_key: str) -> str:
    """The type and the key of a public key line, without its comment."""
    words = public_key.split()
    if len(words) < 2 or not re.match(r"(?:ssh|ecdsa|sk)-", words[0]):  # noqa: PLR2004 - type, key
        raise Rejected("That is not an SSH public key.", hint="It looks like: ssh-ed25519 AAAA…")
    return " ".join(words[:2])


def _signer(line: str, place: str) -> AllowedSigner:
    found = _LINE.match(line.strip())
    if found is None:
        raise ProjectError(
            f"{place} is not an allowed_signers line.",
            hint='It looks like: ana@example.com namespaces="go@d1-preflight" ssh-ed25519 AAAA…',
        )
    options = found["options"] or ""
    roles = re.search(r'namespaces="([^"]*)"', options)
    return AllowedSigner(
        principals=tuple(found["principals"].strip('"').split(",")),
        key=f"{found['type']} {found['key']}",
        namespaces=tuple(roles[1].split(",")) if roles else (),
        options=options,
    )


def _lines(path: Path) -> list[str]:
    try:
        return read_file(path, MAX_BYTES).decode("utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise ProjectError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.",
            hint="It names who may sign; restore it from git, or fix its permissions.",
        ) from error


def _append(path: Path, line: str) -> None:
    """Write the file anew with one more line; a reader sees the old file or the new one."""
    make_folder(path.parent)
    write_durably(path, "\n".join((*_lines(path), line, "")).encode())

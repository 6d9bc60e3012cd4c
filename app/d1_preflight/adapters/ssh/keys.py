"""Finds the SSH key an engineer already has: the one that is named, the agent's, or one in ~/.ssh.

A key that the settings or git name is used or is an error: another one that signed in its stead
would sign in silence.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from d1_preflight.adapters.git.checkout import checkout_of, program_outside
from d1_preflight.adapters.processes import MISSING, Answer, ask
from d1_preflight.adapters.regular_file import read_regular
from d1_preflight.adapters.ssh.allowed_signers import key_words
from d1_preflight.core.errors import ProjectError, Rejected
from d1_preflight.disk import writing
from d1_preflight.lazy_dataclass import dataclass

OWN_KEY = "id_ed25519_d1_preflight"
_FILES = ("id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk", OWN_KEY)
_SETTING = "signing.key in preflight.toml"
_PUBLIC = re.compile(r"(?:ssh|ecdsa|sk)-\S+\s+\S+")


@dataclass(frozen=True, slots=True)
class Key:
    """A key that can sign: its public line, where it was found, and how it is reached.

    `path` is what ssh-keygen is pointed at (None: it lives in the agent only). `needs_terminal`:
    signing asks for a passphrase or a touch, so a screen must step aside.
    """

    public: str
    origin: str
    path: Path | None = None
    needs_terminal: bool = False


class _Unusable(ProjectError):
    """A key that is there, or is named, and cannot sign."""


def find_keys(
    *, project: Path, named: str = "", environ: Mapping[str, str] | None = None
) -> tuple[Key, ...]:
    """Find the keys that can sign, best first: the named one, then those that ask for nothing.

    `named` is the settings' word for a key, before git's. Raises ProjectError where the named key
    cannot be used.
    """
    env = os.environ if environ is None else environ
    places = _Places(project, Path(env.get("HOME") or "~").expanduser(), _agent_keys(env))
    value, origin = (named, _SETTING) if named else _gits_choice(project, env)
    chosen = (_named(value.strip(), origin, places),) if value else ()
    found: dict[str, Key] = {}
    usual = (*_home_keys(places), *(Key(key, "ssh-agent") for key in places.in_agent))
    for key in (*chosen, *sorted(usual, key=lambda key: key.needs_terminal)):
        found.setdefault(key_words(key.public), key)
    return tuple(found.values())


def make_key(path: Path, comment: str) -> Key:
    """Make an ed25519 key without a passphrase; never over an existing file."""
    public = Path(f"{path}.pub")
    if path.exists() or public.exists():
        raise Rejected(
            f"{path} already exists.",
            hint=f"Keys are not replaced. Move it away, or name the key to sign with: {_SETTING}.",
        )
    with writing(path.parent, f"No key was made; one can be named: {_SETTING}."):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    answer = ssh_keygen("-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path))
    if answer.exit_code != 0:
        raise ProjectError(
            f"ssh-keygen could not make {path}: {answer.reason}",
            hint=f"Fix that, or name the key to sign with: {_SETTING}.",
        )
    return Key(public.read_text("utf-8").strip(), str(path), path)


def ssh_keygen(*words: str, stdin: bytes = b"", at_terminal: bool = False) -> Answer:
    """Run ssh-keygen; ProjectError when it is missing or too old to sign files."""
    # Without a terminal ssh-keygen reads a passphrase from stdin, which is the document.
    silence = {} if at_terminal else {"SSH_ASKPASS": "false", "SSH_ASKPASS_REQUIRE": "force"}
    environ = {**os.environ, **silence}
    answer = _ask_own("ssh-keygen", *words, stdin=stdin, at_terminal=at_terminal, environ=environ)
    if answer.exit_code == MISSING or "unknown option -- Y" in answer.reason:
        raise ProjectError(
            "ssh-keygen is missing or too old to sign files.",
            hint="Install OpenSSH 8.2 or newer (package openssh-client).",
        )
    return answer


def own_program(name: str, environ: Mapping[str, str] | None = None) -> Path | None:
    """The person's own program of that name; None where there is none outside of the checkout."""
    env = os.environ if environ is None else environ
    return program_outside(name, env, checkout_of(Path.cwd()))


def _ask_own(
    name: str,
    *words: str,
    environ: Mapping[str, str],
    stdin: bytes = b"",
    at_terminal: bool = False,
) -> Answer:
    """Ask the person's own program; one of the checkout could call anything good."""
    program = own_program(name, environ)
    if program is None:
        return Answer(MISSING, b"", f"{name} was not found on PATH".encode())
    return ask(str(program), *words, stdin=stdin, at_terminal=at_terminal, environ=environ)


@dataclass(frozen=True, slots=True)
class _Places:
    """Where keys are looked for; `in_agent` holds the agent's public lines."""

    project: Path
    home: Path
    in_agent: tuple[str, ...]

    def has_loaded(self, public: str) -> bool:
        """Whether the agent holds this key."""
        return key_words(public) in {key_words(key) for key in self.in_agent}


def _agent_keys(env: Mapping[str, str]) -> tuple[str, ...]:
    if not env.get("SSH_AUTH_SOCK"):
        return ()
    answer = _ask_own("ssh-add", "-L", environ=env)
    lines = answer.text.splitlines() if answer.exit_code == 0 else ()
    return tuple(line for line in lines if _PUBLIC.match(line))


def _gits_choice(project: Path, env: Mapping[str, str]) -> tuple[str, str]:
    """Git's `user.signingkey`; where `gpg.format` is not ssh, it is a GPG id and none of ours."""
    from d1_preflight.adapters.git.facts import git_setting

    if git_setting(project, "gpg.format", env) != "ssh":
        return "", ""
    return git_setting(project, "user.signingkey", env), "git's user.signingkey"


def _named(value: str, origin: str, places: _Places) -> Key:
    """The named key: a public key itself, or a path to either half."""
    literal = value.removeprefix("key::").strip()
    if _PUBLIC.match(literal):
        return _literal(literal, origin, places)
    if literal != value:
        raise _Unusable(
            f"{origin} is not an SSH public key.", hint="It looks like: key::ssh-ed25519 AAAA…"
        )
    return _key_at(places.project / _expanded(value, places.home), origin, places)


def _literal(public: str, origin: str, places: _Places) -> Key:
    """A key named by its public half: it must be in the agent, or be one of the usual files."""
    if places.has_loaded(public):
        return Key(public, f"{origin} (ssh-agent)")
    for key in _home_keys(places):
        if key_words(key.public) == key_words(public):
            return key
    raise _Unusable(
        f"{origin} names a key that is neither in the ssh-agent nor a usual one of ~/.ssh.",
        hint="Load it with ssh-add, or name the path of its file instead.",
    )


def _expanded(path: str, home: Path) -> Path:
    if path == "~" or path.startswith("~/"):
        return home / path[2:]
    try:
        return Path(path).expanduser()
    except RuntimeError:  # ~name of an unknown user
        return Path(path)


def _home_keys(places: _Places) -> Iterator[Key]:
    for name in _FILES:
        with suppress(_Unusable):  # it was not named
            yield _key_at(places.home / ".ssh" / name, f"~/.ssh/{name}", places)


def _key_at(path: Path, origin: str, places: _Places) -> Key:
    """The key whose private or public file this is; _Unusable where neither can sign."""
    private = path.with_suffix("") if path.suffix == ".pub" else path
    public = _public_line(Path(f"{private}.pub"))
    if public and places.has_loaded(public):
        return Key(public, f"{origin} (ssh-agent)")
    if not os.path.isfile(private):  # noqa: PTH113 - False too where it may not look
        what = (
            (f"{private}.pub without its private key")
            if public
            else f"{path}, which does not exist"
        )
        raise _Unusable(
            f"The signing key cannot be used: {origin} names {what}.",
            hint="Bring the key back, load it with ssh-add, or name another one.",
        )
    answer = ssh_keygen("-y", "-P", "", "-f", str(private))
    if answer.exit_code == 0:
        public = public or answer.text
        return Key(public, origin, private, needs_terminal=public.startswith("sk-"))
    if "incorrect passphrase" not in answer.reason:
        raise _Unusable(
            f"The signing key cannot be used: {origin} names {private}, and ssh-keygen refuses it"
            f" ({answer.reason.rpartition('; ')[2]}).",
            hint=f"Look at it: ssh-keygen -y -f {private}. A key must be private: chmod 600.",
        )
    if not public:
        raise _Unusable(
            f"The signing key cannot be used: {private} has a passphrase and no public half.",
            hint=f"Write it once: ssh-keygen -y -f {private} > {private}.pub",
        )
    return Key(public, origin, private, needs_terminal=True)


def _public_line(path: Path) -> str:
    line = (read_regular(path) or "").strip()
    return line if _PUBLIC.match(line) else ""

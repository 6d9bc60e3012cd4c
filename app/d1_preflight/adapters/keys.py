"""Finds the SSH key an engineer already has: git's signing key, the agent's, or one in ~/.ssh."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from d1_preflight.adapters.allowed_signers import key_words
from d1_preflight.adapters.processes import MISSING, Answer, ask
from d1_preflight.core.errors import ProjectError, Rejected

_FILES = ("id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk")


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


def find_keys(*, project: Path, environ: Mapping[str, str] | None = None) -> tuple[Key, ...]:
    """Find the keys that can sign, best first: git's choice, then those that ask for nothing."""
    env = os.environ if environ is None else environ
    in_agent = _agent_keys(env)
    chosen = tuple(_git_key(project, env, in_agent))
    others = (*_home_keys(env, in_agent), *(Key(key, "ssh-agent") for key in in_agent))
    found: dict[str, Key] = {}
    for key in (*chosen, *sorted(others, key=lambda key: key.needs_terminal)):
        found.setdefault(key_words(key.public), key)
    return tuple(found.values())


def make_key(path: Path, comment: str) -> Key:
    """Make an ed25519 key without a passphrase; never over an existing file."""
    public = Path(f"{path}.pub")
    if path.exists() or public.exists():
        raise Rejected(
            f"{path} already exists.", hint="Choose another name; keys are not replaced."
        )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    answer = ssh_keygen("-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path))
    if answer.exit_code != 0:
        raise ProjectError(f"ssh-keygen could not make {path}: {answer.reason}")
    return Key(public.read_text("utf-8").strip(), str(path), path)


def ssh_keygen(*words: str, stdin: bytes = b"", at_terminal: bool = False) -> Answer:
    """Run ssh-keygen; ProjectError when it is missing or too old to sign files."""
    # Without a terminal ssh-keygen reads a passphrase from stdin, which is the document.
    silence = {} if at_terminal else {"SSH_ASKPASS": "false", "SSH_ASKPASS_REQUIRE": "force"}
    answer = ask(
        "ssh-keygen",
        *words,
        stdin=stdin,
        at_terminal=at_terminal,
        environ={**os.environ, **silence},
    )
    if answer.exit_code == MISSING or "unknown option -- Y" in answer.reason:
        raise ProjectError(
            "ssh-keygen is missing or too old to sign files.",
            hint="Install OpenSSH 8.2 or newer (package openssh-client).",
        )
    return answer


def _agent_keys(env: Mapping[str, str]) -> tuple[str, ...]:
    if not env.get("SSH_AUTH_SOCK"):
        return ()
    answer = ask("ssh-add", "-L", environ=env)
    lines = answer.text.splitlines() if answer.exit_code == 0 else ()
    return tuple(line for line in lines if line.startswith(("ssh-", "ecdsa-", "sk-")))


def _git_key(project: Path, env: Mapping[str, str], in_agent: tuple[str, ...]) -> Iterator[Key]:
    """Git's `user.signingkey` where `gpg.format` is ssh: a key itself, or a path."""
    if _git(project, env, "gpg.format") != "ssh":
        return
    value = _git(project, env, "user.signingkey").removeprefix("key::")
    if value.startswith(("ssh-", "ecdsa-", "sk-")):
        if key_words(value) in {key_words(key) for key in in_agent}:
            yield Key(value, "git user.signingkey (ssh-agent)")
    elif value:
        path = Path(value.replace("~", env.get("HOME", "~"), 1)) if value[0] == "~" else Path(value)
        yield from _key_at(project / path, "git user.signingkey", in_agent)


def _home_keys(env: Mapping[str, str], in_agent: tuple[str, ...]) -> Iterator[Key]:
    folder = Path(env.get("HOME") or "~").expanduser() / ".ssh"
    for name in _FILES:
        yield from _key_at(folder / name, f"~/.ssh/{name}", in_agent)


def _key_at(path: Path, origin: str, in_agent: tuple[str, ...]) -> Iterator[Key]:
    """The key whose private or public file this is; nothing where neither can sign."""
    private = path.with_suffix("") if path.suffix == ".pub" else path
    public = _public_line(private)
    if public is None:
        return
    if key_words(public) in {key_words(key) for key in in_agent}:
        yield Key(public, f"{origin} (ssh-agent)")
    elif private.is_file():
        yield Key(public, origin, private, _asks(private, public))


def _public_line(private: Path) -> str | None:
    try:
        line = Path(f"{private}.pub").read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        answer = ssh_keygen("-y", "-P", "", "-f", str(private)) if private.is_file() else None
        line = answer.text if answer and answer.exit_code == 0 else ""
    return line if line.startswith(("ssh-", "ecdsa-", "sk-")) else None


def _asks(private: Path, public: str) -> bool:
    """Whether signing speaks to the person: a hardware key's touch, or a passphrase."""
    if public.startswith("sk-"):
        return True
    return ssh_keygen("-y", "-P", "", "-f", str(private)).exit_code != 0


def _git(project: Path, env: Mapping[str, str], name: str) -> str:
    answer = ask("git", "config", "--get", name, cwd=project, environ=env)
    return answer.text.strip() if answer.exit_code == 0 else ""

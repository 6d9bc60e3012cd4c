"""Which key signs: the named one or none, and the one that the wizard made is found again."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from d1_preflight.adapters.ssh.keys import OWN_KEY, Key, find_keys, make_key
from d1_preflight.adapters.ssh.signer import Operator
from d1_preflight.core.errors import PreflightError, ProjectError
from d1_preflight.core.record.signing import GO

ANA = "ana@example.com"


def environ(home: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        **more,
    }


def first(home: Path, named: str = "", **more: str) -> Key:
    return find_keys(project=home, named=named, environ=environ(home, **more))[0]


def refusal(home: Path, named: str = "", **more: str) -> PreflightError:
    """Why no key is taken, although a usual one is there as well."""
    make_key(home / ".ssh/id_ed25519", "usual")
    with pytest.raises(ProjectError) as raised:
        find_keys(project=home, named=named, environ=environ(home, **more))
    assert raised.value.hint
    return raised.value


def operator(home: Path, named: str = "") -> Operator:
    return Operator(ANA, home, home / "checklists/allowed_signers", environ(home), named)


def with_passphrase(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    words = ("ssh-keygen", "-q", "-a", "1", "-t", "ed25519", "-N", "a passphrase", "-f", str(path))
    subprocess.run(words, check=True)
    return path


def git_names(home: Path, value: str, form: str = "ssh") -> None:
    text = f"[gpg]\nformat = {form}\n[user]\nsigningkey = {value}\n"
    (home / "gitconfig").write_text(text)


def test_the_key_that_the_wizard_made_is_found_again_after_a_restart(tmp_path: Path) -> None:
    before = operator(tmp_path)
    before.prepare()

    again = operator(tmp_path)

    assert again.missing == ()
    assert again.fingerprint == before.fingerprint
    assert again.is_good(b"x", again.sign(b"x", GO), GO)


def test_the_made_key_comes_after_the_usual_ones(tmp_path: Path) -> None:
    make_key(tmp_path / ".ssh" / OWN_KEY, "ours")
    usual = make_key(tmp_path / ".ssh/id_rsa", "usual")
    assert first(tmp_path).public == usual.public


@pytest.mark.parametrize(
    "named", ["~/keys/work", "~/keys/work.pub", "keys/work", "{key}", " {key} "]
)
def test_a_key_that_the_settings_name_signs_whatever_it_is_called(
    tmp_path: Path, named: str
) -> None:
    make_key(tmp_path / ".ssh/id_ed25519", "usual")
    git_names(tmp_path, "~/.ssh/id_ed25519")
    work = make_key(tmp_path / "keys/work", "work")

    found = first(tmp_path, named.format(key=tmp_path / "keys/work"))

    assert (found.public, found.path) == (work.public, tmp_path / "keys/work")
    assert "signing.key" in found.origin


def test_a_named_key_that_is_not_there_is_an_error_and_no_other_signs(tmp_path: Path) -> None:
    error = refusal(tmp_path, "~/.ssh/work_key")
    assert "signing.key in preflight.toml" in error.message
    assert "work_key, which does not exist" in error.message
    signer = operator(tmp_path, "~/.ssh/work_key")
    assert signer.missing == ()
    with pytest.raises(ProjectError, match="which does not exist"):
        signer.sign(b"x", GO)
    with pytest.raises(ProjectError, match="which does not exist"):
        signer.prepare()


def test_a_named_key_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("no key\n")
    (tmp_path / "notes").chmod(0o600)
    assert "ssh-keygen refuses it" in refusal(tmp_path, "notes").message


def test_a_named_key_that_everybody_may_read_is_told_so(tmp_path: Path) -> None:
    make_key(tmp_path / "open", "open")
    (tmp_path / "open").chmod(0o644)
    error = refusal(tmp_path, "open")
    assert "bad permissions" in error.message
    assert "chmod 600" in error.hint


def test_a_public_half_alone_cannot_sign(tmp_path: Path) -> None:
    make_key(tmp_path / "half", "half")
    (tmp_path / "half").unlink()
    error = refusal(tmp_path, "half.pub")
    assert "without its private key" in error.message
    assert "ssh-add" in error.hint


def test_a_usual_key_that_cannot_be_used_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/id_ed25519").write_text("damaged")
    (tmp_path / ".ssh/id_ecdsa.pub").write_text("ssh-ed25519\n")
    usual = make_key(tmp_path / ".ssh/id_rsa", "usual")
    assert first(tmp_path).public == usual.public


def test_gits_path_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    git_names(tmp_path, "~/.ssh/work_key.pub")
    error = refusal(tmp_path)
    assert "git's user.signingkey" in error.message


@pytest.mark.parametrize("form", ["openpgp", "x509", ""])
def test_gits_gpg_id_is_none_of_ours(tmp_path: Path, form: str) -> None:
    git_names(tmp_path, "0A46826A!", form)
    usual = make_key(tmp_path / ".ssh/id_ed25519", "usual")
    assert first(tmp_path).public == usual.public


def test_the_settings_come_before_git(tmp_path: Path) -> None:
    git_names(tmp_path, "~/gone")
    work = make_key(tmp_path / "work", "work")
    assert first(tmp_path, "work").public == work.public


@pytest.mark.parametrize("prefix", ["", "key::"])
def test_a_literal_key_is_found_among_the_usual_files(tmp_path: Path, prefix: str) -> None:
    make_key(tmp_path / ".ssh/id_ed25519", "first")
    second = make_key(tmp_path / ".ssh/id_rsa", "second")
    git_names(tmp_path, f"{prefix}{second.public}")
    assert first(tmp_path).path == tmp_path / ".ssh/id_rsa"


@pytest.mark.parametrize("prefix", ["", "key::"])
def test_a_literal_key_that_nobody_holds_is_an_error(tmp_path: Path, prefix: str) -> None:
    other = make_key(tmp_path / "elsewhere", "other")
    git_names(tmp_path, f"{prefix}{other.public}")
    error = refusal(tmp_path)
    assert "neither in the ssh-agent" in error.message
    assert "ssh-add" in error.hint


def test_a_literal_that_is_no_key_is_an_error(tmp_path: Path) -> None:
    git_names(tmp_path, "key::nonsense")
    assert "not an SSH public key" in refusal(tmp_path).message


def test_an_encrypted_key_needs_the_terminal(tmp_path: Path) -> None:
    with_passphrase(tmp_path / "locked")
    assert first(tmp_path, "locked").needs_terminal


def test_an_encrypted_key_without_its_public_half_says_how_to_write_it(tmp_path: Path) -> None:
    with_passphrase(tmp_path / "locked")
    (tmp_path / "locked.pub").unlink()
    error = refusal(tmp_path, "locked")
    assert "no public half" in error.message
    assert "ssh-keygen -y -f" in error.hint


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[str]:
    socket = tmp_path / "agent"
    process = subprocess.Popen(("ssh-agent", "-D", "-a", str(socket)), stdout=subprocess.DEVNULL)
    while not socket.exists():
        assert process.poll() is None
    yield str(socket)
    process.terminate()
    process.wait()


def test_a_named_key_in_the_agent_alone_signs(tmp_path: Path, agent: str) -> None:
    make_key(tmp_path / ".ssh/id_ed25519", "usual")
    work = make_key(tmp_path / "work", "work")
    env = environ(tmp_path, SSH_AUTH_SOCK=agent)
    subprocess.run(("ssh-add", "-q", str(tmp_path / "work")), env=env, check=True)
    (tmp_path / "work").unlink()
    for named in ("work.pub", "~/work", f"key::{work.public}", work.public):
        found = first(tmp_path, named, SSH_AUTH_SOCK=agent)
        assert (found.public, found.path, found.needs_terminal) == (work.public, None, False)


def test_an_encrypted_key_that_the_agent_holds_asks_for_nothing(tmp_path: Path, agent: str) -> None:
    key = make_key(tmp_path / "locked", "locked")
    env = environ(tmp_path, SSH_AUTH_SOCK=agent)
    subprocess.run(("ssh-add", "-q", str(tmp_path / "locked")), env=env, check=True)
    change = ("ssh-keygen", "-q", "-a", "1", "-p", "-P", "", "-N", "a passphrase", "-f")
    subprocess.run((*change, str(tmp_path / "locked")), check=True, capture_output=True)
    found = first(tmp_path, "locked", SSH_AUTH_SOCK=agent)
    assert (found.public, found.needs_terminal) == (key.public, False)


def test_without_ssh_keygen_the_wizard_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_key(tmp_path / ".ssh/id_ed25519", "usual")
    monkeypatch.setenv("PATH", str(tmp_path))
    signer = operator(tmp_path)
    assert signer.missing == ()
    with pytest.raises(ProjectError) as raised:
        signer.sign(b"x", GO)
    assert "openssh-client" in raised.value.hint
    with pytest.raises(ProjectError, match="missing or too old"):
        make_key(tmp_path / "new", "new")


def test_a_home_that_cannot_be_written_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / ".ssh").write_text("a file where the folder should be")
    with pytest.raises(PreflightError) as raised:
        operator(tmp_path).prepare()
    assert raised.value.hint

"""Signatures by the real ssh-keygen: good ones name their signer, all others say why not."""

import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from d1_preflight.adapters.ssh.allowed_signers import (
    AllowedSigner,
    allow_signer,
    key_words,
    read_allowed_signers,
)
from d1_preflight.adapters.ssh.keys import Key, find_keys, make_key
from d1_preflight.adapters.ssh.sshsig import SshSigner, SshVerifier, verify
from d1_preflight.core.errors import BadSignature, ProjectError, Rejected
from d1_preflight.core.record.signing import CLOSE, GO, REVIEW
from law_size import examples
from sampling import sampled

ANA, BOB = "ana@example.com", "bob@example.com"
DOCUMENT = b'migration = "0061_add_status.sql"\n'


@pytest.fixture
def signers(tmp_path: Path) -> Path:
    return tmp_path / "allowed_signers"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key, made once: each test has a copy of it."""
    folder = tmp_path_factory.mktemp("made")
    make_key(folder / "ana", ANA)
    return folder


@pytest.fixture
def ana(made: Path, tmp_path: Path, signers: Path) -> SshSigner:
    folder = shutil.copytree(made, tmp_path / "keys")
    key = Key((folder / "ana.pub").read_text().strip(), str(folder / "ana"), folder / "ana")
    allow_signer(signers, ANA, key.public, (GO, CLOSE))
    return SshSigner(ANA, key, signers)


def reason(document: bytes, signature: bytes, namespace: str, signers: Path) -> str:
    with pytest.raises(BadSignature) as raised:
        SshVerifier(signers).verify(document, signature, namespace)
    return raised.value.message


def test_a_good_signature_names_the_signer_and_the_key(ana: SshSigner, signers: Path) -> None:
    signature = ana.sign(DOCUMENT, GO)
    found = SshVerifier(signers).verify(DOCUMENT, signature, GO)
    assert (found.principal, found.fingerprint) == (ANA, ana.fingerprint)
    assert found.fingerprint.startswith("SHA256:")
    assert ana.is_good(DOCUMENT, signature, GO)


def test_the_fingerprint_is_the_one_that_ssh_keygen_shows(ana: SshSigner, tmp_path: Path) -> None:
    made = make_key(tmp_path / "key", "a b")
    assert ana.key.path
    certify = ("ssh-keygen", "-q", "-s", str(ana.key.path), "-I", "id", "-n", "me")
    subprocess.run((*certify, f"{made.path}.pub"), check=True)
    certificate = Key((tmp_path / "key-cert.pub").read_text(), "the agent")
    shown = subprocess.run(
        ("ssh-keygen", "-l", "-f", f"{made.path}.pub"), capture_output=True, text=True, check=True
    )
    for key in (made, certificate):
        assert SshSigner(ANA, key, tmp_path).fingerprint == shown.stdout.split()[1]
    with pytest.raises(BadSignature, match="is not a key"):
        _ = SshSigner(ANA, Key("ssh-ed25519 AAAA", "a file"), tmp_path).fingerprint


def test_anyone_can_check_it_with_ssh_keygen_alone(
    ana: SshSigner, tmp_path: Path, signers: Path
) -> None:
    (tmp_path / "go.toml.sig").write_bytes(ana.sign(DOCUMENT, GO))
    words = ("ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", ANA, "-n", GO, "-s")
    done = subprocess.run(
        (*words, str(tmp_path / "go.toml.sig")), input=DOCUMENT, capture_output=True, check=False
    )
    assert done.returncode == 0


def test_a_changed_byte_is_seen(ana: SshSigner, signers: Path) -> None:
    signature = ana.sign(DOCUMENT, GO)
    assert "was changed" in reason(DOCUMENT.replace(b"61", b"62"), signature, GO, signers)
    assert not ana.is_good(DOCUMENT + b"\n", signature, GO)


@settings(max_examples=examples(32), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_edited_byte_verifies(ana: SshSigner, data: st.DataObject) -> None:
    signature = _signature_of(ana)
    at = data.draw(st.integers(0, len(DOCUMENT) - 1))
    bit = data.draw(st.integers(0, 7))
    edited = bytearray(DOCUMENT)
    edited[at] ^= 1 << bit
    assert not ana.is_good(bytes(edited), signature, GO)


def _signature_of(signer: SshSigner, made: dict[str, bytes] = {}) -> bytes:  # noqa: B006 - a memo
    return made.setdefault(signer.key.public, signer.sign(DOCUMENT, GO))


def test_a_signature_for_one_role_is_none_for_another(ana: SshSigner, signers: Path) -> None:
    assert "another role" in reason(DOCUMENT, ana.sign(DOCUMENT, GO), CLOSE, signers)


def test_a_key_may_only_sign_in_its_roles(ana: SshSigner, signers: Path) -> None:
    signature = ana.sign(DOCUMENT, REVIEW)
    assert "not allowed for this role" in reason(DOCUMENT, signature, REVIEW, signers)


def test_a_stranger_is_not_named(ana: SshSigner, tmp_path: Path, signers: Path) -> None:
    bob = SshSigner(BOB, make_key(tmp_path / "keys/bob", BOB), signers)
    assert "does not name this key" in reason(DOCUMENT, bob.sign(DOCUMENT, GO), GO, signers)
    assert ana.identity == ANA


LINES = {
    "one person": "{ana} {key}",
    "in some roles": '{ana} namespaces="go@d1-preflight,close@d1-preflight" {key}',
    "in other roles": '{ana} namespaces="review@d1-preflight" {key}',
    "with a comment": "# {key}\n{ana} {key} of ana",
    "of another before": "{bob} {other}\n{ana} {key}",
    "in another's comment": "{bob} {other} {key}\n{ana} {key}",
    "twice": '{bob} namespaces="review@d1-preflight" {key}\n{ana} {key}',
    "first by a pattern": "*@example.com {key}\n{ana} {key}",
    "of several": "{bob},{ana} {key}",
    "in quotes": '"{ana}" {key}',
    "as an authority": "{ana} cert-authority {key}",
    "no longer": '{ana} valid-before="20200101" {key}',
    "with more options": '{ana} namespaces="go@d1-preflight",valid-after="20200101" {key}',
    "after a line that is none": "{bob} nonsense\n{ana} {key}",
    "with an option that is none": "{ana} nonsense {key}",
    "on Windows": "{ana} {key}\r",
    "never": "{bob} {other}",
}


@pytest.mark.parametrize("named", sampled(LINES, 6))
def test_who_signed_is_what_ssh_keygen_says(
    ana: SshSigner, signers: Path, tmp_path: Path, named: str
) -> None:
    """Of bytes a plain line is read here; of a file ssh-keygen is always asked for the name."""
    other = make_key(tmp_path / "keys/bob", BOB) if "{other}" in LINES[named] else ana.key
    key, others = (" ".join(one.public.split()[:2]) for one in (ana.key, other))
    signers.write_text(LINES[named].format(ana=ANA, bob=BOB, key=key, other=others) + "\n")
    signature = _signature_of(ana)

    def told(allowed: Path | bytes) -> object:
        try:
            return verify(DOCUMENT, signature, GO, allowed)
        except BadSignature as refused:
            return type(refused), refused.message

    assert told(signers.read_bytes()) == told(signers)


def test_someone_elses_name_does_not_fit_the_key(ana: SshSigner, signers: Path) -> None:
    with pytest.raises(BadSignature):
        verify(DOCUMENT, ana.sign(DOCUMENT, GO), GO, signers, identity=BOB)


def test_an_expired_key_is_refused_now_and_good_for_its_time(ana: SshSigner, signers: Path) -> None:
    signature = ana.sign(DOCUMENT, GO)
    signers.write_text(f'{ANA} valid-before="20260101" {ana.key.public}\n')
    assert "expired" in reason(DOCUMENT, signature, GO, signers)
    then = SshVerifier(signers, at=datetime(2025, 6, 1, tzinfo=UTC))
    assert then.verify(DOCUMENT, signature, GO).principal == ANA


@pytest.mark.parametrize("damage", [b"", b"garbage", b"-----BEGIN SSH SIGNATURE-----\nAAAA\n"])
def test_a_damaged_signature_is_said_to_be(ana: SshSigner, signers: Path, damage: bytes) -> None:
    assert ana.sign(DOCUMENT, GO)
    assert reason(DOCUMENT, damage, GO, signers)


def _reflowed(signature: bytes) -> bytes:
    first, *lines, last, end = signature.split(b"\n")
    return b"\n".join((first, b"".join(lines), last, end))


def _with_loose_bits(signature: bytes) -> bytes:
    """The last sign of the base64 with other bits than those that are read."""
    head, sign, tail = signature.rpartition(b"=\n")
    at = head.rstrip(b"=")
    return at[:-1] + bytes([at[-1] + 1]) + head[len(at) :] + sign + tail


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s + b"\n",
        lambda s: s + b"and more\n",
        lambda s: b"before\n" + s,
        lambda s: s + s,
        lambda s: s.replace(b"\n", b"\r\n"),
        lambda s: s.replace(b"\n-----END", b"\n\n-----END"),
        _reflowed,
        _with_loose_bits,
    ],
)
def test_a_signature_has_one_form(
    ana: SshSigner, signers: Path, change: Callable[[bytes], bytes]
) -> None:
    signature = ana.sign(DOCUMENT, GO)
    assert change(signature) != signature

    assert "damaged" in reason(DOCUMENT, change(signature), GO, signers)


def test_without_allowed_signers_nobody_is_believed(ana: SshSigner, tmp_path: Path) -> None:
    signature = ana.sign(DOCUMENT, GO)
    assert "no allowed_signers" in reason(DOCUMENT, signature, GO, tmp_path / "absent")


def test_a_passphrase_needs_the_terminal_and_is_never_read_from_the_document(
    tmp_path: Path, signers: Path
) -> None:
    path = tmp_path / ".ssh/id_ed25519"
    path.parent.mkdir()
    words = ("ssh-keygen", "-q", "-a", "1", "-t", "ed25519", "-N", "a passphrase", "-f", str(path))
    subprocess.run(words, check=True)
    (key,) = find_keys(project=tmp_path, environ=quiet(tmp_path))
    assert key.needs_terminal
    assert SshSigner(ANA, key, signers).needs_terminal
    blind = SshSigner(ANA, Key(key.public, key.origin, key.path), signers)
    with pytest.raises(BadSignature, match="did not sign: its passphrase"):
        blind.sign(b"a passphrase\n" * 3, GO)


def quiet(home: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        **more,
    }


def test_gits_signing_key_comes_before_the_usual_ones(tmp_path: Path) -> None:
    usual = make_key(tmp_path / ".ssh/id_ed25519", "usual")
    chosen = make_key(tmp_path / "special", "chosen")
    (tmp_path / "gitconfig").write_text("[gpg]\nformat = ssh\n[user]\nsigningkey = ~/special.pub\n")
    found = find_keys(project=tmp_path, environ=quiet(tmp_path))
    assert [key.public for key in found] == [chosen.public, usual.public]
    assert found[0].path == tmp_path / "special"


def test_gits_openpgp_key_is_none_of_ours(tmp_path: Path) -> None:
    make_key(tmp_path / "special", "chosen")
    (tmp_path / "gitconfig").write_text("[user]\nsigningkey = ~/special\n")
    assert find_keys(project=tmp_path, environ=quiet(tmp_path)) == ()


def test_a_key_that_asks_for_nothing_comes_first(tmp_path: Path) -> None:
    path = tmp_path / ".ssh/id_ed25519"
    path.parent.mkdir()
    words = ("ssh-keygen", "-q", "-a", "1", "-t", "ed25519", "-N", "a passphrase", "-f", str(path))
    subprocess.run(words, check=True)
    plain = make_key(tmp_path / ".ssh/id_ecdsa", "plain")
    found = find_keys(project=tmp_path, environ=quiet(tmp_path))
    assert [key.needs_terminal for key in found] == [False, True]
    assert found[0].public == plain.public


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Path]:
    socket = tmp_path / "agent"
    process = subprocess.Popen(("ssh-agent", "-D", "-a", str(socket)), stdout=subprocess.DEVNULL)
    while not socket.exists():
        assert process.poll() is None
    yield socket
    process.terminate()
    process.wait()


def test_a_key_of_the_agent_signs_without_its_file(
    tmp_path: Path, agent: Path, signers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key(tmp_path / "gone", ANA)
    environ = quiet(tmp_path, SSH_AUTH_SOCK=str(agent))
    subprocess.run(("ssh-add", "-q", str(tmp_path / "gone")), env=environ, check=True)
    (tmp_path / "gone").unlink()
    (found,) = find_keys(project=tmp_path, environ=environ)
    assert (found.path, found.needs_terminal, found.origin) == (None, False, "ssh-agent")
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
    allow_signer(signers, ANA, key.public, (GO,))
    signer = SshSigner(ANA, found, signers)
    assert signer.is_good(DOCUMENT, signer.sign(DOCUMENT, GO), GO)


def test_a_made_key_is_private_and_never_replaces_another(tmp_path: Path) -> None:
    key = make_key(tmp_path / "new/key", ANA)
    assert key.path is not None
    assert key.path.stat().st_mode & 0o077 == 0
    with pytest.raises(Rejected, match="already exists"):
        make_key(tmp_path / "new/key", ANA)


def test_the_same_line_is_not_added_twice(ana: SshSigner, signers: Path) -> None:
    before = signers.read_text()
    assert not allow_signer(signers, ANA, ana.key.public, (GO,))
    assert signers.read_text() == before
    assert allow_signer(signers, ANA, ana.key.public, (REVIEW,))
    assert ana.is_good(DOCUMENT, ana.sign(DOCUMENT, REVIEW), REVIEW)


def test_comments_and_other_lines_of_the_file_stay(ana: SshSigner, signers: Path) -> None:
    signers.write_text(f"# the team\n{ANA},{BOB} {ana.key.public}")
    allow_signer(signers, "eve@example.com", ana.key.public, (GO,))
    assert signers.read_text().startswith(f"# the team\n{ANA},{BOB} {ana.key.public}\neve@")
    assert [one.principals for one in read_allowed_signers(signers)] == [
        (ANA, BOB),
        ("eve@example.com",),
    ]


@pytest.mark.parametrize("principal", ["*", "ana bob", 'a"b', "a,b", "!a", "", "# a"])
def test_a_pattern_is_no_person(signers: Path, principal: str) -> None:
    with pytest.raises(Rejected):
        allow_signer(signers, principal, "ssh-ed25519 AAAA", (GO,))


def test_options_are_read_apart_from_the_key(signers: Path) -> None:
    options = 'namespaces="a,b",valid-before="20300101"'
    signers.write_text(f"{ANA} {options} ssh-ed25519 AAAA ana's key\n\n")
    expected = AllowedSigner((ANA,), "ssh-ed25519 AAAA", ("a", "b"), options)
    assert read_allowed_signers(signers) == (expected,)
    assert expected.line == f"{ANA} {options} ssh-ed25519 AAAA"


def test_a_line_that_cannot_be_read_is_not_passed_over(signers: Path) -> None:
    signers.write_text("# fine\nnonsense\n")
    with pytest.raises(ProjectError, match=":2"):
        read_allowed_signers(signers)


def test_what_is_no_public_key_is_rejected() -> None:
    with pytest.raises(Rejected):
        key_words("BEGIN OPENSSH PRIVATE KEY")


def test_a_key_that_asks_is_refused_where_there_is_no_terminal(tmp_path: Path) -> None:
    """In a session of its own a process has no terminal, whatever runs these tests."""
    script = (
        "import sys; from pathlib import Path\n"
        "from d1_preflight.adapters.ssh.keys import make_key\n"
        "from d1_preflight.adapters.ssh.sshsig import SshSigner\n"
        "from dataclasses import replace\n"
        "folder = Path(sys.argv[1])\n"
        "key = replace(make_key(folder / 'k', 'ana'), needs_terminal=True)\n"
        "SshSigner('ana', key, folder / 'none').sign(b'x', 'go')\n"
    )
    done = subprocess.run(
        (sys.executable, "-c", script, str(tmp_path)),
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )
    assert "there is no terminal to ask at" in done.stderr


def test_a_passphrase_is_asked_for_at_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "key"
    words = (
        "ssh-keygen",
        "-q",
        "-a",
        "1",
        "-t",
        "ed25519",
        "-N",
        "open sesame",
        "-C",
        ANA,
        "-f",
        str(path),
    )
    subprocess.run(words, check=True)
    script = (
        "import sys; from pathlib import Path\n"
        "from d1_preflight.adapters.ssh.keys import Key\n"
        "from d1_preflight.adapters.ssh.sshsig import SshSigner\n"
        "path = Path(sys.argv[1])\n"
        "key = Key(Path(f'{path}.pub').read_text(), 'a file', path, needs_terminal=True)\n"
        "SshSigner('ana', key, path).sign(b'x', 'go')\n"
        "print('signed')\n"
    )
    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, (sys.executable, "-c", script, str(path)))  # noqa: S606
    asked = read_until(terminal, b"assphrase")
    os.write(terminal, b"open sesame\n")
    shown = read_until(terminal, b"signed")
    os.close(terminal)
    os.waitpid(process, 0)
    assert b"assphrase" in asked
    assert b"signed" in shown


def read_until(terminal: int, mark: bytes) -> bytes:
    shown = b""
    while mark not in shown:
        try:
            more = os.read(terminal, 1024)
        except OSError:  # Linux says so when the other side has closed
            break
        if not more:
            break
        shown += more
    return shown

"""Signatures that were good once: what is kept of them, and what must never be believed."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from commands.real_records import person
from core.record_values import ANA, BEN
from d1_preflight.adapters.ssh.keys import own_program
from d1_preflight.adapters.ssh.sshsig import SshSigner, SshVerifier
from d1_preflight.adapters.ssh.verdicts import Verdicts, open_verdicts, verdict_key
from d1_preflight.core.errors import BadSignature
from d1_preflight.core.record.signing import CLOSE, GO, Signature

DOCUMENT = b"schema = 2\n"
FINGERPRINT = f"SHA256:{'a' * 43}"


@dataclass(frozen=True)
class Desk:
    """A signer, the signed document, and where verdicts are kept."""

    ana: SshSigner
    signers: Path
    file: Path
    signature: bytes
    known: bytes = b""

    def knows_it(self) -> None:
        """Have the verdict that an earlier run kept of it."""
        self.file.write_bytes(self.known)
        self.file.chmod(0o600)

    def verify(self, document: bytes = DOCUMENT, role: str = GO, more: bytes = b"") -> str:
        """Who signed it, by what an earlier run kept; "" where it is not good."""
        verdicts = Verdicts(self.file)
        verifier = SshVerifier(self.signers.read_bytes() + more, verdicts=verdicts)
        try:
            found = verifier.verify(document, self.signature, role)
        except BadSignature:
            return ""
        verdicts.save()
        return found.principal

    def kept(self) -> dict[str, object]:
        found = json.loads(self.file.read_bytes())["good"] if self.file.exists() else {}
        assert isinstance(found, dict)
        return found

    def keep(self, who: object = None, form: object = "d1-preflight signature verdicts, 1") -> None:
        """Have a forged verdict: of this signature, by somebody else."""
        good = {key: who or [BEN, FINGERPRINT] for key in self.kept()}
        self.file.write_text(json.dumps({"form": form, "good": good}))
        self.file.chmod(0o600)


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> tuple[SshSigner, Path]:
    folder = tmp_path_factory.mktemp("keys")
    signers = folder / "allowed_signers"
    return person(folder, "ana", ANA, signers, (GO, CLOSE)), signers


@pytest.fixture(scope="module")
def signature(signer: tuple[SshSigner, Path]) -> bytes:
    return signer[0].sign(DOCUMENT, GO)


@pytest.fixture(scope="module")
def known(
    signer: tuple[SshSigner, Path], signature: bytes, tmp_path_factory: pytest.TempPathFactory
) -> bytes:
    """What is kept of the good signature."""
    desk = Desk(*signer, tmp_path_factory.mktemp("cache") / "verdicts.json", signature)
    assert desk.verify() == ANA
    return desk.file.read_bytes()


@pytest.fixture
def desk(signer: tuple[SshSigner, Path], signature: bytes, known: bytes, tmp_path: Path) -> Desk:
    (tmp_path / "cache").mkdir(mode=0o700)
    return Desk(*signer, tmp_path / "cache" / "verdicts.json", signature, known)


def test_a_good_signature_is_kept_for_this_user_alone(desk: Desk) -> None:
    assert desk.verify() == ANA

    assert list(desk.kept().values()) == [[ANA, desk.ana.fingerprint]]
    assert desk.file.stat().st_mode & 0o777 == 0o600
    desk.keep()
    assert desk.verify() == BEN  # so it is the file that was asked


@pytest.mark.parametrize("what", ["document", "role", "signers", "signature"])
def test_what_is_kept_counts_for_exactly_these_bytes(desk: Desk, what: str) -> None:
    desk.knows_it()
    desk.keep()

    match what:
        case "document":
            assert desk.verify(b"schema = 3\n") == ""
        case "role":
            assert desk.verify(role=CLOSE) == ""
        case "signers":
            assert desk.verify(more=b"# a comment\n") == ANA
        case "signature":
            again = Desk(desk.ana, desk.signers, desk.file, desk.signature + b"\n")
            assert again.verify() == ""


def test_the_key_covers_time_and_program(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for program in (first, second):
        program.write_bytes(b"")
    moments = (None, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))

    keys = {
        verdict_key(b"d", b"s", GO, b"signers", at=at, program=program)
        for at in moments
        for program in (first, second)
    }
    first.write_bytes(b"another one")
    keys.add(verdict_key(b"d", b"s", GO, b"signers", at=None, program=first))

    assert len(keys) == 7


def test_a_bad_signature_is_never_kept(desk: Desk) -> None:
    assert desk.verify(b"other") == ""
    assert desk.kept() == {}


@pytest.mark.parametrize(
    "more", [b'x valid-before="20200101" ssh-ed25519 A\n', b"x cert-authority ssh-ed25519 A\n"]
)
def test_what_time_alone_changes_is_not_kept(desk: Desk, more: bytes) -> None:
    assert desk.verify(more=more) == ANA
    assert desk.kept() == {}


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602, 0o666])
def test_a_file_that_others_may_read_or_write_is_not_believed(desk: Desk, mode: int) -> None:
    """Git makes no file that is its owner's alone, so none of a checkout can pass."""
    desk.knows_it()
    desk.keep()
    desk.file.chmod(mode)

    assert desk.verify() == ANA


def test_a_folder_that_others_may_write_is_not_believed(desk: Desk) -> None:
    desk.knows_it()
    desk.keep()
    desk.file.parent.chmod(0o777)

    assert desk.verify() == ANA


def test_a_link_is_not_followed(desk: Desk, tmp_path: Path) -> None:
    desk.knows_it()
    desk.keep()
    elsewhere = tmp_path / "elsewhere.json"
    desk.file.rename(elsewhere)
    desk.file.symlink_to(elsewhere)

    assert desk.verify() == ANA


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b'{"form": 1}', b"\xff", b"[" * 100_000, b'{"good": []}']
)
def test_a_damaged_file_is_a_miss(desk: Desk, data: bytes) -> None:
    desk.knows_it()
    desk.file.write_bytes(data)

    assert desk.verify() == ANA
    assert list(desk.kept().values()) == [[ANA, desk.ana.fingerprint]]


@pytest.mark.parametrize(
    "who", [BEN, [BEN], [BEN, 7], [BEN, "SHA256:short"], ["", FINGERPRINT], {"a": 1}, [BEN] * 3]
)
def test_a_damaged_verdict_is_a_miss(desk: Desk, who: object) -> None:
    desk.knows_it()
    desk.keep(who)

    assert desk.verify() == ANA


def test_the_file_of_another_form_is_a_miss(desk: Desk) -> None:
    desk.knows_it()
    desk.keep(form="d1-preflight signature verdicts, 0")

    assert desk.verify() == ANA


def test_it_does_not_grow_without_end(tmp_path: Path) -> None:
    verdicts = Verdicts(tmp_path / "verdicts.json")
    for number in range(12_000):
        verdicts.put(f"{number:064}", Signature(ANA, FINGERPRINT), b"")
    verdicts.save()

    kept = json.loads((tmp_path / "verdicts.json").read_bytes())["good"]
    assert len(kept) == 10_000
    assert f"{11_999:064}" in kept


def test_a_cache_that_cannot_be_written_is_only_slower(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    verdicts = Verdicts(tmp_path / "file" / "verdicts.json")
    verdicts.put("k", Signature(ANA, FINGERPRINT), b"")

    verdicts.save()


@pytest.mark.parametrize("name", ["CI", "PREFLIGHT_NO_CACHE"])
def test_nothing_is_kept_in_ci_or_where_it_is_not_wanted(name: str, tmp_path: Path) -> None:
    assert open_verdicts({name: "1"}, (tmp_path,)).file is None


def test_a_cache_within_the_checkout_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pull request could bring it: XDG_CACHE_HOME may point into the project."""
    (tmp_path / "project" / ".git").mkdir(parents=True)
    folder = tmp_path / "project" / "checklists" / "db" / "0001"
    folder.mkdir(parents=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "project" / ".cache"))
    assert open_verdicts({}, (folder,)).file is None

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    (tmp_path / "mine").symlink_to(tmp_path / "project")
    assert open_verdicts({}, (folder,)).file is None
    (tmp_path / "mine").unlink()
    assert open_verdicts({}, (folder,)).file is not None


def test_the_program_is_never_one_of_the_checkout() -> None:
    found = own_program("ssh-keygen")

    assert found is not None
    assert found.is_absolute()

"""A closed record on disk, signed with real SSH keys; made once a kind, then copied."""

import atexit
import shutil
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from core.record_values import ANA, BEN, SQL, closed_files
from d1_preflight.adapters.ssh.allowed_signers import allow_signer
from d1_preflight.adapters.ssh.keys import make_key
from d1_preflight.adapters.ssh.sshsig import SshSigner
from d1_preflight.core.findings import Kind
from d1_preflight.core.record.signing import CLOSE, GO, REVIEW

CONFIG = """{
  // a Worker with one database
  "name": "workway-api",
  "d1_databases": [{
    "binding": "DB",
    "database_name": "marketplace-production",
    "database_id": "a1b2c3d4-0000-4000-8000-000000000001",
  }],
}
"""


@dataclass(frozen=True)
class Checkout:
    """A project with one closed record, its operator and a reviewer."""

    root: Path
    folder: Path
    signers: Path
    ana: SshSigner
    ben: SshSigner


def make_checkout(root: Path, keys: Path, kind: Kind = Kind.DESTRUCTIVE) -> Checkout:
    """A copy of the checkout of this kind; a second one in a test has the same keys."""
    made = _made_once(kind)
    shutil.copytree(made.root, root)
    shutil.copytree(made.ana.key.path.parent, keys)  # type: ignore[union-attr]  # it lies in a file
    folder = root / made.folder.relative_to(made.root)
    signers = root / made.signers.relative_to(made.root)
    ana, ben = (_moved(signer, keys, signers) for signer in (made.ana, made.ben))
    return Checkout(root, folder, signers, ana, ben)


def _moved(signer: SshSigner, keys: Path, signers: Path) -> SshSigner:
    assert signer.key.path
    path = keys / signer.key.path.name
    return SshSigner(signer.identity, replace(signer.key, origin=str(path), path=path), signers)


@cache
def _made_once(kind: Kind) -> Checkout:
    """Two keys and two signatures cost a quarter of a second."""
    scratch = Path(tempfile.mkdtemp(prefix="checkout-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    return sign_checkout(scratch / "project", scratch / "keys", kind)


def sign_checkout(root: Path, keys: Path, kind: Kind = Kind.DESTRUCTIVE) -> Checkout:
    """A checkout with keys of its own."""
    signers = root / "checklists" / "allowed_signers"
    ana = person(keys, "ana", ANA, signers, (GO, CLOSE))
    ben = person(keys, "ben", BEN, signers, (REVIEW,))
    folder = root / "checklists" / "marketplace-production" / "0057_add_team_billing"
    for name, data in closed_files(kind, ana)[0].items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (root / "wrangler.jsonc").write_text(CONFIG)
    (root / "migrations").mkdir()
    (root / "migrations" / "0057_add_team_billing.sql").write_bytes(SQL)
    return Checkout(root, folder, signers, ana, ben)


def person(
    keys: Path, name: str, identity: str, signers: Path, roles: tuple[str, ...]
) -> SshSigner:
    key = make_key(keys / name, identity)
    allow_signer(signers, identity, key.public, roles)
    return SshSigner(identity, key, signers)

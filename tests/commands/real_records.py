"""A closed record on disk, signed with real SSH keys made for the test."""

from dataclasses import dataclass
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

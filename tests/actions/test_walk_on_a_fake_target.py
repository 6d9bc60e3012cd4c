"""The whole walk on a target in memory: every real step but wrangler itself."""

from hashlib import sha256
from pathlib import Path

import pytest

from actions.fake_target import ADDITIVE, DESTRUCTIVE, Bench
from core.record_values import KEYS
from d1_preflight.core.verify.verify import verify_record
from sampling import sampled


@pytest.mark.parametrize(
    ("sql", "kind"),
    # The suite walks an additive one in test_judged_again.py, and to the apply in many files.
    sampled([(DESTRUCTIVE, "destructive"), (ADDITIVE, "additive")], 2),
)
async def test_a_migration_is_walked_to_its_end(tmp_path: Path, sql: str, kind: str) -> None:
    bench = Bench(tmp_path, sql, kind)
    account = "0123456789abcdef0123456789abcdef"
    bench.web.account_id = account

    await bench.walk()

    assert bench.session.closed
    assert bench.session.kind == kind
    assert bench.target.protected == ["apply"]
    assert bench.target.commands.count("apply") == 1
    files = bench.store.files()
    assert bench.web.asked
    assert not any(account.encode() in data for data in files.values())
    kept = {
        k: v for a in bench.session.record.attempts for e in a.evidence for k, v in e.files.items()
    }
    assert not kept  # the fake keeps no output
    digest = sha256(bench.files.own.text.encode()).hexdigest()
    found = verify_record(files, bench.session.checklist, KEYS, migration_sha256=digest)
    assert [problem.words for problem in found.problems] == []

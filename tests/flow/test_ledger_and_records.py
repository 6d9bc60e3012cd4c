"""`verify --remote`: the records of a database against its ledger, through the real wrangler."""

import json
from pathlib import Path

import pytest

from commands.real_records import person
from core.record_values import ANA, closed_in_chain
from d1_preflight.adapters.own_cache import user_cache
from d1_preflight.core.record.record import DatabaseRef
from d1_preflight.core.record.signing import CLOSE, GO
from d1_preflight.core.target.api_place import PRACTICE
from d1_preflight.core.target.snapshot import LedgerRow
from flow.conftest import OpenPractice
from lint.running import preflight

pytestmark = pytest.mark.wrangler
NEVER_APPLIED = "0061_rebuild_teams_remove_deprecated.sql"


def test_a_row_without_a_record_and_a_record_without_its_row_are_named(
    practice: OpenPractice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, running = practice("0061")
    installed = user_cache().parent  # of this user, before the practice run has a home of its own
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(installed))
    monkeypatch.chdir(context.project.root)
    applied = [file.name for file in context.files() if file.name < NEVER_APPLIED][-3:]
    ledger = [LedgerRow(n, name, "2026-11-23 14:00:00") for n, name in enumerate(applied, 10)]
    checklists = context.project.root / "checklists"
    ana = person(tmp_path, "ana", ANA, checklists / "allowed_signers", (GO, CLOSE))
    database = context.project.database
    about = DatabaseRef(database.name, database.id, target=PRACTICE)
    made: list[dict[str, bytes]] = []
    for name in (applied[0], NEVER_APPLIED):  # the second and third row have no record
        files = closed_in_chain(made, migration=name, hand=ana, ledger=ledger, database=about)
        made.append(files)
        for path, data in files.items():
            file = checklists / database.name / name.removesuffix(".sql") / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)

    found = preflight("verify", "--remote", "--format", "json")
    assert found.out, found.err

    told = {Path(one["record"]).name: [p["id"] for p in one["problems"]] for one in
            json.loads(found.out)}  # fmt: skip
    about_ledger = {n: [i for i in ids if i.startswith("ledger")] for n, ids in told.items()}
    assert found.code == 4
    assert about_ledger == {
        Path(applied[0]).stem: [],
        Path(applied[1]).stem: ["ledger-record-missing"],
        Path(applied[2]).stem: ["ledger-record-missing"],
        Path(NEVER_APPLIED).stem: ["ledger-row-missing"],
    }

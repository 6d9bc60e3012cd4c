"""Evidence is small: nothing of what printed nothing, and repeated rows named once."""

import json
from pathlib import Path

from d1_preflight.adapters.wrangler.evidence import EvidenceFolder
from d1_preflight.adapters.wrangler.redaction import Redactor

ROWS = [{"sql": f"CREATE TABLE t{n}(id)"} for n in range(40)]


def folder(root: Path, *secrets: str) -> EvidenceFolder:
    return EvidenceFolder(root / "evidence", root / "raw", Redactor(secrets))


def kept(evidence: EvidenceFolder, name: str, out: bytes, err: bytes = b"") -> list[str]:
    """Keep what a command printed; the names of its files."""
    for stream, data in (("out", out), ("err", err)):
        with evidence.open(name, "out" if stream == "out" else "err") as file:
            file.write(data)
    return sorted(evidence.keep(name))


def reply(*results: object) -> bytes:
    return json.dumps([{"results": r, "success": True} for r in results], indent=2).encode()


def test_what_printed_nothing_leaves_no_file(tmp_path: Path) -> None:
    evidence = folder(tmp_path)

    assert kept(evidence, "1-x", b"done\n") == ["evidence/1-x.out"]
    assert kept(evidence, "2-x", b"") == []
    assert [path.name for path in (tmp_path / "evidence").iterdir()] == ["1-x.out"]
    assert list((tmp_path / "raw").iterdir()) == []


def test_rows_that_an_earlier_reply_holds_are_named(tmp_path: Path) -> None:
    evidence = folder(tmp_path)
    kept(evidence, "1-x", reply(ROWS))
    kept(evidence, "2-x", reply([{"n": 1}], ROWS))

    second = json.loads((tmp_path / "evidence" / "2-x.out").read_text())

    assert [r["results"] for r in second] == [[{"n": 1}], "as in 1-x.out, statement 1"]


def test_a_secret_is_masked_before_a_reply_is_shortened(tmp_path: Path) -> None:
    evidence = folder(tmp_path, "s3cr3t-s3cr3t")
    kept(evidence, "1-x", reply([{"a": "s3cr3t-s3cr3t"}]))

    assert "s3cr3t-s3cr3t" not in (tmp_path / "evidence" / "1-x.out").read_text()


def test_a_long_output_is_kept_as_it_is(tmp_path: Path) -> None:
    data = reply([{"a": "x" * 1_000_000}])
    kept(folder(tmp_path), "1-x", data)

    assert (tmp_path / "evidence" / "1-x.out").read_bytes() == data + b"\n"

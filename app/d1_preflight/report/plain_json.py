"""A record for programs: its summary, what the verification found, and the record itself."""

import json
import tomllib
from dataclasses import asdict

from d1_preflight.core.record.file import dump_record
from d1_preflight.core.record.record import Record
from d1_preflight.core.summary.summary import Summary
from d1_preflight.core.verify.links import Verification


def as_json(summary: Summary, record: Record, verification: Verification | None) -> str:
    """One object; `record` has the form that `record.schema.json` describes."""
    content = {
        "summary": {**asdict(summary), "facts": dict(summary.facts)},
        "verification": None if verification is None else _verified(verification),
        "record": tomllib.loads(dump_record(record).decode()),
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _verified(verification: Verification) -> dict[str, object]:
    return {
        "exit_code": verification.exit_code,
        "trust": verification.trust,
        "facts": dict(verification.facts),
        "problems": [asdict(problem) for problem in verification.problems],
    }

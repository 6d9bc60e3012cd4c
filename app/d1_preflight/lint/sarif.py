"""The judgement as SARIF 2.1.0: for code scanning and other readers of static analysis."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import PurePath
from urllib.parse import quote

from d1_preflight import __version__
from d1_preflight.core.findings import Finding, Severity
from d1_preflight.core.rules.catalog import CatalogEntry, rule_catalog
from d1_preflight.lint.judged import Judged
from d1_preflight.lint.rewrites import answer_to, hunks

SARIF_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
"""Where the format is defined."""
LEVELS = {Severity.BLOCKING: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}


def as_sarif(judged: Sequence[Judged]) -> str:
    """One run; paths are relative to the root of the sources, or absolute URIs."""
    words = rule_catalog()
    shown = [(one, finding) for one in judged for finding in one.shown]
    rules = {rule: index for index, rule in enumerate(sorted({f.rule for _, f in shown}))}
    prints = Prints()
    document = {
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver([words[rule] for rule in rules])},
                "columnKind": "unicodeCodePoints",
                "invocations": [_invocation(judged)],
                "results": [_result(one, found, rules, prints) for one, found in shown],
            }
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _driver(rules: Sequence[CatalogEntry]) -> Mapping[str, object]:
    return {
        "name": "preflight",
        "semanticVersion": __version__,
        "rules": [
            {
                "id": rule.id,
                "shortDescription": {"text": rule.title},
                "fullDescription": {"text": rule.problem},
                "help": {"text": "\n".join([rule.problem, *rule.instead, rule.verified_with])},
                "defaultConfiguration": {"level": LEVELS[rule.severity]},
            }
            for rule in rules
        ],
    }


def _invocation(judged: Sequence[Judged]) -> Mapping[str, object]:
    """Notices about whole files: unknown class, or findings left out."""
    notes = [
        {"level": "error", "message": {"text": f"{one.path}: its effect is unknown."}}
        for one in judged
        if one.blocks and not one.analysis.blocking
    ]
    notes += [
        {"level": "note", "message": {"text": f"{one.path}: {number} more of {finding.rule}."}}
        for one in judged
        for finding, number in one.left_out
    ]
    return {"executionSuccessful": True, "toolExecutionNotifications": notes}


class Prints:
    """Fingerprints that stay when lines move: rule, file, text of the line, and the how-manieth."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()
        self._lines: dict[str, list[str]] = {}

    def of(self, one: Judged, finding: Finding) -> str:
        """The fingerprint of a finding."""
        lines = self._lines.setdefault(one.path, one.migration.text.split("\n"))
        text = lines[finding.line - 1].strip() if finding.line <= len(lines) else ""
        return self.marked(f"{finding.rule}\x00{one.migration.name}\x00{text}")

    def marked(self, base: str) -> str:
        """The fingerprint of one more place that is known by this text."""
        self._seen[base] += 1
        whole = f"{base}\0{self._seen[base]}".encode(errors="surrogateescape")
        return sha256(whole).hexdigest()[:32]


def _result(
    one: Judged, finding: Finding, rules: Mapping[str, int], prints: Prints
) -> Mapping[str, object]:
    steps = [f"{number}. {step}" for number, step in enumerate(finding.instead, start=1)]
    result: dict[str, object] = {
        "ruleId": finding.rule,
        "ruleIndex": rules[finding.rule],
        "level": LEVELS[finding.severity],
        "message": {"text": "\n".join([finding.message, *steps])},
        "locations": [
            {"physicalLocation": {"artifactLocation": _file(one.path), "region": _region(finding)}}
        ],
        "partialFingerprints": {"preflight/v1": prints.of(one, finding)},
    }
    if finding.allowed or finding.declared:
        reason = finding.allowed or f"declared loss: {finding.declared}"
        result["suppressions"] = [{"kind": "inSource", "justification": reason}]
    if what := answer_to(one.fix, finding):
        result["fixes"] = [_fix(one, what)]
    return result


def _fix(one: Judged, what: str) -> Mapping[str, object]:
    """The whole proved rewrite of the file: its parts are proved together."""
    replacements = [
        {
            "deletedRegion": {
                "startLine": hunk.start,
                "startColumn": 1,
                "endLine": hunk.end,
                "endColumn": 1,
            },
            "insertedContent": {"text": hunk.text},
        }
        for hunk in (hunks(one.fix) if one.fix else ())
    ]
    change = {"artifactLocation": _file(one.path), "replacements": replacements}
    return {"description": {"text": f"The rewrite {what}."}, "artifactChanges": [change]}


def _file(path: str) -> Mapping[str, str]:
    if PurePath(path).is_absolute():
        return {"uri": f"file://{quote(path, errors='surrogateescape')}"}
    return {"uri": quote(path, errors="surrogateescape"), "uriBaseId": "%SRCROOT%"}


def _region(finding: Finding) -> Mapping[str, int]:
    region = {"startLine": finding.line, "startColumn": finding.column}
    if (finding.end_line, finding.end_column) > (finding.line, finding.column):
        region |= {"endLine": finding.end_line, "endColumn": finding.end_column}
    return region

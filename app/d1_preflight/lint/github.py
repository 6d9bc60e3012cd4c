"""The judgement as workflow commands: GitHub draws them into the pull request's diff."""

from collections.abc import Iterator, Mapping, Sequence

from d1_preflight.core.findings import Finding, Severity
from d1_preflight.core.format import clean
from d1_preflight.lint.judged import Judged
from d1_preflight.lint.rewrites import answer_to, suggestion

COMMANDS = {Severity.BLOCKING: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def as_github(judged: Sequence[Judged]) -> str:
    """One command a line, the heavy ones first: GitHub shows ten of each kind and step."""
    order = list(Severity)
    found = [(one, finding) for one in judged for finding in one.shown]
    found.sort(key=lambda pair: order.index(_weight(pair[1])))
    lines = [*_unknown(judged), *(_command(one, finding) for one, finding in found)]
    return "".join(f"{line}\n" for line in lines)


def _unknown(judged: Sequence[Judged]) -> Iterator[str]:
    for one in judged:
        if one.blocks and not one.analysis.blocking:
            words = "The effect of this migration is unknown: treat it as destructive."
            yield command("error", {"file": one.path, "line": 1, "title": "unknown"}, words)


def _command(one: Judged, finding: Finding) -> str:
    places: dict[str, object] = {"file": one.path, "line": finding.line}
    if finding.end_line > finding.line:
        places["endLine"] = finding.end_line  # columns count only within one line
    elif finding.end_column > finding.column:
        places |= {"col": finding.column, "endColumn": finding.end_column}
    places["title"] = f"{finding.title} [{finding.rule}]"
    return command(COMMANDS[_weight(finding)], places, _words(one, finding))


def _weight(finding: Finding) -> Severity:
    return Severity.NOTE if finding.allowed or finding.declared else finding.severity


def _words(one: Judged, finding: Finding) -> str:
    if finding.allowed:
        return f"Allowed in the file: {finding.allowed}"
    if finding.declared:
        return f"{finding.message}\nDeclared in the file: {finding.declared}"
    steps = [f"{number}. {step}" for number, step in enumerate(finding.instead, start=1)]
    what = answer_to(one.fix, finding)
    if what and one.fix:
        said = f"A proved rewrite {what}: preflight fix {one.path}"
        return "\n".join([finding.message, said, suggestion(one.fix, finding)])
    return "\n".join([finding.message, *(["Instead:", *steps] if steps else [])])


def command(name: str, places: Mapping[str, object], words: str) -> str:
    """One workflow command with its properties and its message."""
    escaped = {key: _data(str(value)) for key, value in places.items()}
    properties = (f"{k}={v.replace(':', '%3A').replace(',', '%2C')}" for k, v in escaped.items())
    return f"::{name} {','.join(properties)}::{_data(words)}"


def _data(text: str) -> str:
    shown = "\n".join(clean(line) for line in text.split("\n"))
    return shown.replace("%", "%25").replace("\n", "%0A")

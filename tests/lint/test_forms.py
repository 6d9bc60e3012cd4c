"""The four forms of lint, each to the letter: golden files, schemas, escapes, colours.

The SARIF is held to `sarif.schema.json`, our own part of the standard's schema with nothing else
allowed; where SARIF_SCHEMA names the whole schema of OASIS, to that as well.
"""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for

from d1_preflight.core.findings import Analysis, Finding, Kind, Severity
from d1_preflight.core.format import cell_width
from d1_preflight.core.rules.catalog import rule_catalog
from d1_preflight.lint import Format, render
from d1_preflight.lint.judged import AT_MOST, Judged, summary
from d1_preflight.lint.paint import Paint, wants_colour
from d1_preflight.lint.snippet import Lines
from lint.running import POSTS, REBUILD, USERS, finding, folder, judged, preflight

GOLDEN = Path(__file__).parent / "golden"
CHECKLISTS = Path(__file__).resolve().parents[2] / "checklists"
CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
SAMPLE = (
    "-- Migration: 0061_rebuild_teams\n"
    "\n"
    "DROP TABLE teams;\tDROP TABLE “名前”;\n"
    "INSERT INTO teams_new\n"
    "  SELECT id,\n"
    "         name FROM teams;\n" + "-- " + "x" * 150 + " DROP TABLE gone; " + "y" * 150 + "\n"
)
BLOCKING = finding(3, 12, 3, 17)
WIDE = finding(3, 30, 3, 34, Severity.WARNING)
MANY_LINES = finding(4, 1, 6, 26, Severity.NOTE)
LONG_LINE = finding(7, 155, 7, 171, Severity.WARNING)
WHOLE_FILE = finding(1, 1, 1, 1, Severity.WARNING)
ALLOWED = replace(BLOCKING, allowed="the rows were copied by hand")
EVERY = judged(SAMPLE, BLOCKING, WIDE, MANY_LINES, LONG_LINE, WHOLE_FILE, ALLOWED)


@pytest.mark.parametrize(("form", "name"), [("text", "every.txt"), ("github", "every.github")])
def test_the_form_is_as_agreed(form: str, name: str) -> None:
    """Golden: write the file anew with UPDATE_GOLDEN=1, and say in the commit why."""
    out = render([EVERY], Format(form))
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / name).write_text(out, encoding="utf-8")
    assert out == (GOLDEN / name).read_text(encoding="utf-8")


def test_colours_only_repeat_what_the_words_say() -> None:
    painted = render([EVERY], Format.TEXT, Paint(on=True))
    assert "\x1b[1;31m" in painted
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == render([EVERY], Format.TEXT)


@pytest.mark.parametrize(
    ("is_terminal", "environ", "wanted"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(
    is_terminal: bool, environ: dict[str, str], wanted: bool
) -> None:
    assert wants_colour(is_terminal=is_terminal, environ=environ) is wanted


@given(
    line=st.text(st.characters(exclude_characters="\n"), min_size=1, max_size=300),
    ends=st.tuples(st.integers(1, 301), st.integers(1, 301)),
    width=st.integers(40, 120),
)
def test_a_snippet_fits_its_width_and_underlines_the_place(
    line: str, ends: tuple[int, int], width: int
) -> None:
    first, last = sorted(ends)
    found = Lines(line).snippet(finding(1, first, 1, last), width)
    assert (found is None) == (first == last)
    if found:
        assert len(found.line) <= width
        assert found.line.isprintable()
        assert found.length >= 1
        assert found.offset + found.length <= cell_width(found.line) + 2


def test_the_underline_stands_below_the_place_in_a_line_far_too_long() -> None:
    text = "x" * 500 + "DROP" + "y" * 500
    found = Lines(text).snippet(finding(1, 501, 1, 505), 80)
    assert found
    assert found.line[found.offset : found.offset + found.length] == "DROP"


def test_one_rule_does_not_fill_the_screen() -> None:
    hits = tuple(finding(n, 1, n, 5) for n in range(1, 101))
    one = judged("DROP\n" * 100, *hits)
    text = render([one], Format.TEXT)
    assert text.count("blocking[cascade-delete]") == AT_MOST
    assert f":{AT_MOST + 1}:1: … and {100 - AT_MOST} more of cascade-delete" in text
    assert len(json.loads(render([one], Format.JSON))["migrations"][0]["findings"]) == 100
    assert len(json.loads(render([one], Format.SARIF))["runs"][0]["results"]) == AT_MOST
    assert "100 blocking" in summary([one])


def test_what_is_unknown_blocks_even_without_a_finding() -> None:
    one = Judged("m/1.sql", EVERY.migration, Analysis(Kind.UNKNOWN, EVERY.analysis.risk, ""))
    assert one.blocks
    assert render([one], Format.GITHUB).startswith("::error file=m/1.sql,line=1,title=unknown::")
    run = json.loads(render([one], Format.SARIF))["runs"][0]
    assert run["invocations"][0]["toolExecutionNotifications"][0]["level"] == "error"


def test_workflow_commands_cannot_be_broken_out_of() -> None:
    evil = replace(BLOCKING, title="a,b:c", message="100%\n::error::x\r::stop-commands::y")
    one = judged(SAMPLE, evil, path="m/a,b:c%\n::error::x.sql")
    lines = render([one], Format.GITHUB).splitlines()
    assert len(lines) == 1
    properties, _, message = lines[0].removeprefix("::error ").partition("::")
    assert properties.startswith("file=m/a%2Cb%3Ac%25%0A%3A%3Aerror%3A%3Ax.sql,line=3,col=12,")
    assert "title=a%2Cb%3Ac [cascade-delete]" in properties
    assert message.startswith("100%25%0A::error::x ::stop-commands::y%0AInstead:%0A1. Park")


def test_the_heavy_findings_come_first_in_a_pull_request() -> None:
    out = render([judged(SAMPLE, MANY_LINES, WIDE, BLOCKING)], Format.GITHUB)
    assert re.findall(r"^::(\w+) ", out, re.MULTILINE) == ["error", "warning", "notice"]


def sarif_errors(text: str) -> list[str]:
    schemas = [Path(__file__).with_name("sarif.schema.json")]
    if whole := os.environ.get("SARIF_SCHEMA"):
        schemas.append(Path(whole))
    found = []
    for path in schemas:
        schema = json.loads(path.read_text(encoding="utf-8"))
        validator = validator_for(schema)(schema)
        found += [
            f"{path.name}: {error.message}" for error in validator.iter_errors(json.loads(text))
        ]
    return found


def json_errors(text: str) -> list[str]:
    schema = json.loads((CHECKLISTS / "lint.schema.json").read_text(encoding="utf-8"))
    return [error.message for error in Draft202012Validator(schema).iter_errors(json.loads(text))]


def test_a_run_is_valid_in_both_schemas(tmp_path: Path) -> None:
    folder(tmp_path, {"1_users.sql": USERS, "2_posts.sql": POSTS, "3 %#ä.sql": REBUILD})
    assert sarif_errors(preflight("lint", str(tmp_path), "--format", "sarif").out) == []
    assert json_errors(preflight("lint", str(tmp_path), "--format", "json").out) == []


def test_the_schemas_refuse_what_is_wrong() -> None:
    sarif = render([EVERY], Format.SARIF)
    assert sarif_errors(sarif) == []
    assert sarif_errors(sarif.replace('"2.1.0"', '"2.0.0"'))
    assert sarif_errors(sarif.replace('"startLine": 3', '"startLine": 0'))
    assert json_errors(render([EVERY], Format.JSON)) == []
    assert json_errors(render([EVERY], Format.JSON).replace('"schema": 1', '"schema": 2'))


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus (../shared/corpus) is not here")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("sonicjs", marks=pytest.mark.matrix),  # the suite has a report with everything
        pytest.param("ColeMurray__background-agents", marks=pytest.mark.matrix),
        pytest.param("saltbo__zpan", marks=pytest.mark.matrix),
    ],
)
def test_real_projects_are_valid_in_both_schemas(name: str) -> None:
    place = next(path for path in CORPUS.iterdir() if name in path.name)
    assert sarif_errors(preflight("lint", str(place), "--format", "sarif").out) == []
    assert json_errors(preflight("lint", str(place), "--format", "json").out) == []


def test_the_sarif_says_where_how_bad_and_what_is_suppressed() -> None:
    [run] = json.loads(render([EVERY], Format.SARIF))["runs"]
    driver = run["tool"]["driver"]
    assert [rule["id"] for rule in driver["rules"]] == ["cascade-delete"]
    assert driver["rules"][0]["shortDescription"]["text"] == rule_catalog()["cascade-delete"].title
    results = run["results"]
    assert [r["level"] for r in results][:3] == ["error", "warning", "note"]
    region = results[2]["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 4, "startColumn": 1, "endLine": 6, "endColumn": 26}
    kept = [r.get("suppressions") for r in results]
    assert kept == [None] * 5 + [
        [{"kind": "inSource", "justification": "the rows were copied by hand"}]
    ]


def prints(one: Judged) -> list[str]:
    results = json.loads(render([one], Format.SARIF))["runs"][0]["results"]
    return [result["partialFingerprints"]["preflight/v1"] for result in results]


def test_a_fingerprint_stays_when_lines_move_and_tells_twins_apart() -> None:
    before = judged("DROP TABLE a;\n", finding(1, 1, 1, 13))
    after = judged("-- new\n\nDROP TABLE a;\n", finding(3, 1, 3, 13))
    assert prints(before) == prints(after)
    twins: tuple[Finding, ...] = (finding(1, 1, 1, 13), finding(2, 1, 2, 13))
    assert len(set(prints(judged("DROP TABLE a;\nDROP TABLE a;\n", *twins)))) == 2


def test_a_path_outside_of_the_checkout_is_a_whole_uri() -> None:
    one = judged(SAMPLE, BLOCKING, path="/srv/my app/1.sql")
    result = json.loads(render([one], Format.SARIF))["runs"][0]["results"][0]
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "file:///srv/my%20app/1.sql"}

"""The report of a bug can be pasted into an issue: no values, no paths but ours."""

import contextlib
import io
import sys

import pytest

from d1_preflight import cli


def test_it_tells_places_and_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    secret = "/home/ana/private/ana@secret.example"
    try:
        int(secret)
    except ValueError:
        cli._report()
    told = capsys.readouterr().err
    assert secret not in told
    assert "/home" not in told
    assert "test_crash_report.py:" in told
    assert "builtins.ValueError" in told
    assert str(sys.prefix) not in told


def test_a_crash_anywhere_ends_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(io.StringIO):
        def write(self, _text: str) -> int:
            raise RuntimeError("row: ana@secret.example")

    with contextlib.redirect_stdout(Broken()):
        code = cli.main(["explain", "cascade-delete"])
    told = capsys.readouterr().err
    assert code == 70
    assert "secret" not in told
    assert "d1_preflight/commands/explain.py" in told

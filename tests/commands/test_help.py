"""Help: every example is one that the parser takes; what is mistyped is named."""

import shlex
import subprocess

import pytest

from d1_preflight import cli
from d1_preflight.commands.completions import SHELLS
from d1_preflight.commands.examples import EXAMPLES
from d1_preflight.commands.faces import plain_because

LINES = [(command, line) for command, pairs in EXAMPLES.items() for line, _ in pairs]


def test_every_command_has_examples() -> None:
    assert set(EXAMPLES) == {"", *cli._COMMANDS}


@pytest.mark.parametrize(("command", "line"), LINES)
def test_every_example_is_taken(command: str, line: str) -> None:
    program, *words = shlex.split(line.partition(" > ")[0])

    arguments = cli.whole_parser().parse_args(words)

    assert program == "preflight"
    assert command in ("", arguments.command)


@pytest.mark.parametrize("command", sorted(set(EXAMPLES) - {""}))
def test_help_fits_and_ends_in_examples(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    with pytest.raises(SystemExit):
        cli.main([command, "--help"])

    shown = capsys.readouterr().out
    before, found, after = shown.partition("\nexamples:\n")
    assert found
    assert after.count("preflight") >= len(EXAMPLES[command])
    assert max(map(len, before.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["verfy"], "preflight verify"),
        (["docter"], "preflight doctor"),
        (["0061"], "preflight run 0061"),
        (["zzz"], "preflight --help"),
        (["lint", "--formt", "json"], "Did you mean: --format"),
        (["run", "0057", "--databse=x"], "Did you mean: --database"),
        (["--vrsion"], "Did you mean: --version"),
        (["lint", "--xyz"], "preflight lint --help"),
        (["run", "0057", "b"], "a word too many: 'b'"),
    ],
)
def test_what_is_mistyped_is_named(
    words: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    assert meant in capsys.readouterr().err


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_is_given_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completions", shell]) == 0

    script = capsys.readouterr().out
    assert all(command in script for command in EXAMPLES if command)
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize(
    ("environ", "asked", "set_so", "why"),
    [
        ({"TERM": "xterm"}, False, False, ""),
        ({}, False, False, ""),
        ({"TERM": "dumb"}, False, False, "TERM is dumb"),
        ({"PREFLIGHT_PLAIN": "1"}, False, False, "PREFLIGHT_PLAIN is set"),
        ({"PREFLIGHT_PLAIN": "0"}, False, False, ""),
        ({"PREFLIGHT_PLAIN": ""}, False, False, ""),
        ({"TERM": "dumb"}, True, True, "--plain asks for it"),
        ({"TERM": "xterm"}, False, True, "preflight.toml sets plain under [face]"),
    ],
)
def test_what_chooses_the_plain_face(
    environ: dict[str, str],
    asked: bool,
    set_so: bool,
    why: str,
) -> None:
    assert plain_because(environ, asked=asked, set_so=set_so) == why


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("show", "0061", "--format", "markdown"),
         ("preflight: --format cannot be 'markdown'.", "Choose one of text, md, html, json.")),
        (("lint", "--format", "jsno"),
         ("preflight: --format cannot be 'jsno'.", "Did you mean: json")),
        (("run",), ("preflight: preflight run needs NAME.", "What it takes: preflight run --help")),
        (("restore", "0061", "--table"),
         ("preflight: --table: expected one argument.", "preflight restore --help")),
    ],
)  # fmt: skip
def test_what_a_command_does_not_take_is_refused_with_the_next_step(
    words: tuple[str, ...], told: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2

    shown = capsys.readouterr().err
    assert all(one in shown for one in told)
    assert "usage:" not in shown

"""What `--help` shows at its end: one way to call each command for each thing people want."""

import argparse
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NoReturn

from d1_preflight.core.errors import UsageError

_WIDTH = 78
_UNKNOWN = 80
_EXAMPLES = "examples:"

EXAMPLES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "": (
        ("preflight", "the board: every migration of this project"),
        ("preflight run 0061", "walk this migration on deploy day"),
        ("preflight practice", "try it all on a made-up project, offline"),
    ),
    "run": (
        ("preflight run 0061", "by its number"),
        ("preflight run 0061 --plain", "one question after the other, for SSH and screen readers"),
        ("preflight run 0061 --env production", "in an environment of the configuration"),
    ),
    "header": (
        ("preflight header 0061", "write the header from what the statements do"),
        ("preflight header 0061 --description 'Plans per team'", "with what it is for"),
    ),
    "lint": (
        ("preflight lint", "every migration of the project"),
        ("preflight lint migrations/0061_team_plan.sql", "one file"),
        ("preflight lint --base origin/main --format github", "what a pull request adds, in CI"),
    ),
    "fix": (
        ("preflight fix 0061", "the rewrite of this migration, as a diff"),
        ("preflight fix 0061 --write", "write it; the earlier text stays in .preflight/"),
    ),
    "code": (
        ("preflight code", "the pending migrations against the code that runs"),
        ("preflight code 0060 --deployed v1.4.0", "one migration, and the release that runs"),
    ),
    "explain": (
        ("preflight explain", "every rule, by subject"),
        ("preflight explain cascade-delete", "one rule, and what to write instead"),
    ),
    "verify": (
        ("preflight verify", "every record of the project"),
        ("preflight verify 0061", "one record"),
        ("preflight verify --trust-from origin/main", "in CI: signers come from the main branch"),
    ),
    "show": (
        ("preflight show 0061", "a record in the terminal"),
        ("preflight show 0061 --format html > record.html", "a page for people"),
    ),
    "review": (
        ("preflight review 0061", "read a closed record, then counter-sign it or send it back"),
        ("preflight review 0061 --go", "agree to the GO before the apply, as the second person"),
    ),
    "restore": (
        ("preflight restore 0061", "all that the rehearsal lost"),
        ("preflight restore 0061 --table team_members", "one table"),
    ),
    "new": (
        ("preflight new add_users_last_login", "an additive one, and its down file"),
        ("preflight new drop_users_legacy --type destructive", "with its class in the header"),
        (
            "preflight new rename_name --pattern rename --table users --column name --to title",
            "written for your tables, in two files where the code uses the old name",
        ),
    ),
    "adopt": (
        ("preflight adopt", "compare every file with the target, confirm, and write the ledger"),
        ("preflight adopt --env production", "in an environment of the configuration"),
    ),
    "init": (("preflight init", "answer a few questions; writes preflight.toml"),),
    "doctor": (
        ("preflight doctor", "this machine and this project"),
        ("preflight doctor --env production", "another environment of the configuration"),
    ),
    "practice": (
        ("preflight practice", "write the sample project and open its board"),
        ("preflight practice --next 0061 --plain", "one of its migrations, in the plain face"),
        ("preflight practice --fault list", "the failures that can be rehearsed"),
    ),
    "completions": (
        ("preflight completions bash > ~/.local/share/bash-completion/completions/preflight", ""),
        ("preflight completions zsh > ~/.zfunc/_preflight", "a folder of your fpath"),
    ),
}
"""By command, "" for the program itself: the command line, and what it is for."""


class Help(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the terminal, with the examples as they stand.

    argparse makes one for every option, and asks for the width each time: with a module that
    alone takes a fiftieth of a start.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith(_EXAMPLES):
            return super()._fill_text(text, width, indent)
        import textwrap

        return textwrap.fill(text, _WIDTH)


def _columns() -> int:
    with suppress(KeyError, ValueError):
        if (said := int(os.environ["COLUMNS"])) > 0:
            return said
    with suppress(AttributeError, ValueError, OSError):
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or _UNKNOWN  # type: ignore[union-attr]
    return _UNKNOWN


_NOT_A_CHOICE = re.compile(
    r"argument (?P<name>.+): invalid choice: (?P<said>.+) \(choose from (?P<choices>.+)\)"
)

_NEEDED = "the following arguments are required: "


class Parser(argparse.ArgumentParser):
    """A parser whose help is shown so; a command's is one too."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**{"formatter_class": Help, **named})

    def error(self, message: str) -> NoReturn:
        """Refuse in the form of every other refusal, with what was meant perhaps."""
        hint = f"What it takes: {self.prog} --help"
        found = _NOT_A_CHOICE.fullmatch(message)
        if found is None:
            needed = message.removeprefix(_NEEDED)
            if needed != message:
                raise UsageError(f"{self.prog} needs {needed.upper()}.", hint=hint)
            raise UsageError(f"{message.removeprefix('argument ')}.", hint=hint)
        from difflib import get_close_matches

        choices = [word.strip("' ") for word in found["choices"].split(",")]
        close = get_close_matches(found["said"].strip("'"), choices, n=1, cutoff=0.7)
        hint = f"Did you mean: {close[0]}" if close else f"Choose one of {', '.join(choices)}."
        raise UsageError(f"{found['name']} cannot be {found['said']}.", hint=hint)


def add_examples(parser: argparse.ArgumentParser, command: str) -> None:
    """Let the command's help end in its examples, each as it is typed."""
    pairs = EXAMPLES.get(command, ())
    width = max((len(line) for line, words in pairs if words), default=0)
    beside = [f"  {line:<{width}}  {words}".rstrip() for line, words in pairs]
    below = [f"  {line}\n      {words}".rstrip() for line, words in pairs]
    lines = beside if all(len(line) <= _WIDTH for line in beside) else below
    parser.epilog = "\n".join([_EXAMPLES, *lines]) if lines else None

"""`preflight completions SHELL`: the script with which a shell completes our commands."""

import argparse
from importlib import import_module

from d1_preflight.commands.output import write

SHELLS = ("bash", "zsh", "tcsh")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser("completions", help="a script that completes commands in a shell")
    parser.add_argument("shell", choices=SHELLS, help="the shell that will read the script")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the script; it knows every command and option of this version."""
    import shtab

    parser: argparse.ArgumentParser = import_module("d1_preflight.cli").whole_parser()
    write(shtab.complete(parser, arguments.shell) + "\n")
    return 0

"""`preflight`: the board of this project's migrations."""

import argparse

from d1_preflight.commands.faces import add_project_arguments, open_chosen, show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The program's own arguments, without a command."""
    add_project_arguments(parser, first=True)


def run(arguments: argparse.Namespace) -> int:
    """Open the board."""
    context = open_chosen(arguments)
    return show(context)

"""`preflight`: the board of this project's migrations."""

import argparse

from d1_preflight.commands.faces import add_project_arguments, first_paint, open_chosen, show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The program's own arguments, without a command."""
    add_project_arguments(parser, first=True)


def run(arguments: argparse.Namespace) -> int:
    """Open the board."""
    painted = first_paint(arguments)
    try:
        return show(open_chosen(arguments), painted=painted)
    finally:
        if painted is not None:
            painted.wipe()

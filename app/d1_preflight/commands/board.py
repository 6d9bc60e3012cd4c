"""`preflight`: the board of this project's migrations."""

import argparse

from d1_preflight.commands.faces import add_project_arguments, show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The program's own arguments, without a command."""
    add_project_arguments(parser, first=True)


def run(arguments: argparse.Namespace) -> int:
    """Open the board."""
    from d1_preflight.project_context import open_context

    context = open_context(
        config=arguments.config, environment=arguments.env, database=arguments.database
    )
    return show(context)

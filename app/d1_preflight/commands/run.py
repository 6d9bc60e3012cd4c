"""`preflight run NAME`: the wizard for one migration."""

import argparse

from d1_preflight.commands.faces import (
    add_face_arguments,
    add_project_arguments,
    full_name,
    open_chosen,
    show,
)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("run", help="walk one migration through its checklist")
    parser.add_argument("name", help="the migration: its number, or its name")
    add_project_arguments(parser)
    add_face_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Open the wizard."""
    context = open_chosen(arguments, migration=arguments.name)
    return show(context, name=full_name(context, arguments.name), plain=arguments.plain)

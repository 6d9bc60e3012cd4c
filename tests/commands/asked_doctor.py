"""What `preflight doctor` is given on the command line, read once: making the parser is dear."""

import argparse
from functools import cache

from d1_preflight.commands import doctor
from d1_preflight.commands.faces import add_project_arguments


@cache
def asked() -> argparse.Namespace:
    """The words without an option."""
    parser = argparse.ArgumentParser()
    add_project_arguments(parser, first=True)
    doctor.add_parser(parser.add_subparsers())
    return parser.parse_args(["doctor"])

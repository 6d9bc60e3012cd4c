"""Options that several commands have; light, because every start of the program reads them."""

import argparse
from pathlib import Path


def add_record_options(parser: argparse.ArgumentParser) -> None:
    """The options with which a stranger names what a record is verified against."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", default=argparse.SUPPRESS,
        help="the wrangler configuration it was made with, if not the project's own",
    )  # fmt: skip
    parser.add_argument(
        "--allowed-signers", type=Path, metavar="FILE", help="who may sign, in which role"
    )
    parser.add_argument(
        "--checklist", type=Path, metavar="FILE", help="the checklist the record was made with"
    )

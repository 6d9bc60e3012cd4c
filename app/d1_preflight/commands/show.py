"""`preflight show`: the whole record for people, as text, Markdown, one HTML file, or JSON."""

import argparse

from d1_preflight.commands.faces import add_record_options
from d1_preflight.commands.output import write


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("show", help="a record: its summary, then all of it")
    parser.add_argument("record", metavar="RECORD", help="a record's folder, or a migration's name")
    parser.add_argument("--format", choices=("text", "md", "html", "json"), default="text")
    add_record_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the record to stdout, with what its verification found."""
    from d1_preflight.adapters.system import SystemClock
    from d1_preflight.commands.records import open_record
    from d1_preflight.core.checklist.file import shipped_checklist
    from d1_preflight.core.checklist.policy import with_ages
    from d1_preflight.core.record.gate import as_of
    from d1_preflight.core.verify.timeline import TIMELINE
    from d1_preflight.report import Format, show

    found = open_record(arguments.record, arguments)
    aging = with_ages(found.checklist, shipped_checklist())
    record = as_of(found.record, aging, SystemClock().now())

    form, timeline = Format(arguments.format), found.files.get(TIMELINE)
    write(show(record, found.checklist, found.verify(), form, timeline), "The record")
    return 0

"""`preflight verify`: signatures, chain, hashes, completeness and roles; made for CI."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight.commands.faces import add_record_options
from d1_preflight.commands.output import say, write
from d1_preflight.lazy_dataclass import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from d1_preflight.adapters.kept_verdicts import KeptVerdicts
    from d1_preflight.adapters.ssh.verdicts import Verdicts
    from d1_preflight.commands.opened_record import OpenRecord
    from d1_preflight.commands.records import Chains
    from d1_preflight.core.verify.links import Verification


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "verify",
        help="check records: signatures, hashes, completeness, roles",
        description="Exit code 0: good. 1: open steps or unsigned. 4: invalid, or a bad signature.",
    )
    parser.add_argument(
        "records",
        nargs="*",
        metavar="RECORD",
        help="a record, a folder of records or a migration; without any, all",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")
    add_record_options(parser)
    parser.add_argument(
        "--trust-from",
        default="",
        metavar="REV",
        help="take signers, policy and checklist from this git revision, not from the checkout",
    )
    parser.add_argument(
        "--remote",
        action="store_true",
        help="hold the records to the target's ledger as well; asks it with wrangler",
    )
    parser.add_argument(
        "--no-cache",
        action="store_true",
        help="judge every record and signature again; in CI always (CI, PREFLIGHT_NO_CACHE)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check each record; the worst exit code counts."""
    from d1_preflight.commands.records import Chains, gone_records
    from d1_preflight.core.verify.links import Verification

    verdicts = _verdicts(arguments)
    kept = _kept(arguments, verdicts)
    chains = Chains(arguments.trust_from, verdicts, kept)
    records = _opened(arguments, chains)
    if len(records) > 1:
        from d1_preflight.commands.seen_signatures import ask_ahead

        ask_ahead((r.files, r.verifier) for r in records if not r.has_verdict())
    found = [(record.folder, record.verify()) for record in records]
    verdicts.save()
    if kept is not None:
        kept.save()
    if not arguments.records:
        gone = gone_records(arguments, chains)
        found += [(folder, Verification((problem,), {})) for folder, problem in gone]
    if arguments.remote:
        found = _against_ledger(records, found, arguments, chains)
    for trust in dict.fromkeys(record.trust for record in records):
        folders = [record.folder for record in records if record.trust == trust]
        say(f"{folders[0] if len(folders) == 1 else f'{len(folders)} records'}: {trust}")
    if arguments.format == "json":
        results = [_as_json(folder, verification) for folder, verification in found]
        write(json.dumps(results, indent=2) + "\n", "The result")
    else:
        lines = [line for folder, verification in found for line in _lines(folder, verification)]
        write("".join(f"{line}\n" for line in lines), "The result")
    return max(verification.exit_code for _, verification in found)


def _opened(arguments: argparse.Namespace, chains: "Chains") -> "list[OpenRecord]":
    """The records that are named, or all; their files are read before their chain asks for them."""
    from d1_preflight.commands.records import every_record, open_records, opened

    if arguments.records:
        words = arguments.records
        return [found for word in words for found in open_records(word, arguments, chains)]
    folders = every_record(arguments)
    for folder in folders:
        chains.files(folder)
    return [opened(folder, arguments, chains) for folder in folders]


def _verdicts(arguments: argparse.Namespace) -> "Verdicts":
    """The signatures of earlier runs, unless they are not to be believed."""
    import os

    from d1_preflight.adapters.ssh.verdicts import Verdicts, open_verdicts

    if arguments.no_cache:
        return Verdicts()
    given = (*arguments.records, *filter(None, (vars(arguments).get("config"),)))
    named = (Path(word).resolve() for word in given)
    return open_verdicts(os.environ, (Path.cwd(), *(p if p.is_dir() else p.parent for p in named)))


def _kept(arguments: argparse.Namespace, verdicts: "Verdicts") -> "KeptVerdicts | None":
    """The verdicts on whole records, where those on signatures may be believed."""
    if verdicts.file is None or arguments.trust_from or arguments.remote:
        return None
    from d1_preflight.adapters.kept_verdicts import KeptVerdicts

    return KeptVerdicts(verdicts.file.with_name("records.json"))


def _against_ledger(
    records: "Sequence[OpenRecord]",
    found: "list[tuple[Path, Verification]]",
    arguments: argparse.Namespace,
    chains: "Chains",
) -> "list[tuple[Path, Verification]]":
    """The verifications with what the ledger adds, and the rows that have no closed record."""
    from d1_preflight.commands.ledger import read_ledger
    from d1_preflight.core.verify.links import Verification

    ledger = read_ledger(arguments)

    held = [
        (folder, ledger.held_against(record, verification))
        for record, (folder, verification) in zip(records, found, strict=False)
    ]
    whole = dict([*held, *found[len(held) :]])
    for folder, problem in () if arguments.records else ledger.unrecorded(chains):
        known = whole.get(folder, Verification((), {}))
        whole[folder] = replace(known, problems=(*known.problems, problem))
    return list(whole.items())


_VERDICTS = {0: "✓ good", 1: "· open", 4: "✗ invalid"}


def _lines(folder: Path, verification: "Verification") -> Iterator[str]:
    from d1_preflight.core.format import clean

    by = clean(verification.trust.partition(";")[0])
    yield f"{_VERDICTS[verification.exit_code]}  {clean(str(folder))}  ({by})"
    for problem in verification.problems:
        yield f"  {problem.weight:<8}{clean(problem.file)}: {clean(problem.words)}"
        if problem.hint:
            yield f"          next: {clean(problem.hint)}"
    width = max((len(name) for name in verification.facts), default=0)
    for name, value in verification.facts.items():
        yield f"    {name:<{width}}  {clean(value)}"


def _as_json(folder: Path, verification: "Verification") -> dict[str, object]:
    return {
        "record": str(folder),
        "exit_code": verification.exit_code,
        "trust": verification.trust,
        "facts": dict(verification.facts),
        "problems": [
            {
                "id": problem.id.value,
                "weight": problem.weight.value,
                "file": problem.file,
                "words": problem.words,
                "next": problem.hint,
            }
            for problem in verification.problems
        ],
    }

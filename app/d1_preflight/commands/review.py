"""`preflight review`: a second person reads, then counter-signs or sends back with a reason."""

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from d1_preflight.adapters.signing import SshSigner
    from d1_preflight.commands.records import OpenRecord
    from d1_preflight.core.review import Subject, Verdict
    from d1_preflight.plain.asker import Asker

_APPROVE, _SEND_BACK, _LEAVE = "approve and counter-sign", "send back, with a reason", "leave it"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    from d1_preflight.commands.records import add_record_options

    parser = subparsers.add_parser(
        "review", help="read a record, then counter-sign it or send it back"
    )
    parser.add_argument("record", metavar="RECORD", help="a record's folder, or a migration's name")
    parser.add_argument(
        "--go", action="store_true", help="the GO before the apply, as the second person"
    )
    decision = parser.add_mutually_exclusive_group()
    decision.add_argument("--approve", action="store_true", help="counter-sign without asking")
    decision.add_argument("--send-back", metavar="REASON", help="send back without asking")
    add_record_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show the record, take the reviewer's word, and sign it."""
    from d1_preflight.commands.records import open_record
    from d1_preflight.core.review import CLOSED_RECORD, PLAN, Verdict
    from d1_preflight.report import show

    found = open_record(arguments.record, arguments)
    subject = PLAN if arguments.go else CLOSED_RECORD
    sys.stdout.write(show(found.record, found.checklist, found.verify()))
    decided = _given(arguments) or asyncio.run(_asked(found))
    if decided is None:
        print("Nothing was signed.", file=sys.stderr)
        return 1
    verdict, reason = decided
    if verdict is Verdict.APPROVED:
        _refuse_what_is_not_good(found, subject)
    name = sign_review(found, subject, verdict, reason, _signer(found))
    print(f"Signed: {found.folder / name} and its .sig. Commit both.", file=sys.stderr)
    return 0


def sign_review(
    found: "OpenRecord", subject: "Subject", verdict: "Verdict", reason: str, signer: "SshSigner"
) -> str:
    """Sign the statement, check it as everyone else will, and write it; returns its name."""
    from d1_preflight.adapters.store import write_durably
    from d1_preflight.adapters.system import SystemClock
    from d1_preflight.core.errors import BadSignature
    from d1_preflight.core.review import (
        operators_of,
        read_review,
        refuse_operator,
        statement,
        statement_name,
    )
    from d1_preflight.core.signing import REVIEW, Signature

    if found.verifier is None:
        raise _nobody_may_sign(signer)
    reviewer = Signature(signer.identity, signer.fingerprint)
    refuse_operator(operators_of(found.files, found.verifier), reviewer)
    document = statement(
        found.files, found.record, subject, verdict, reason,
        reviewer=signer.identity, at=SystemClock().now(),
    )  # fmt: skip
    signature = signer.sign(document, REVIEW)
    name = statement_name(found.files, subject, signer.identity)
    with_review = found.files | {name: document, f"{name}.sig": signature}
    try:
        read_review(with_review, found.record, name, found.verifier)
    except BadSignature as error:
        raise BadSignature(error.message, hint=_line_to_add(signer)) from error
    write_durably(found.folder / name, document)
    write_durably(found.folder / f"{name}.sig", signature)
    return name


def _given(arguments: argparse.Namespace) -> "tuple[Verdict, str] | None":
    from d1_preflight.core.review import Verdict

    if arguments.approve:
        return Verdict.APPROVED, ""
    if arguments.send_back is not None:
        return Verdict.SENT_BACK, arguments.send_back
    return None


async def _asked(found: "OpenRecord") -> "tuple[Verdict, str] | None":
    from d1_preflight.plain.asker import open_asker

    return await ask_verdict(open_asker(), str(found.record.migration))


async def ask_verdict(asker: "Asker", migration: str) -> "tuple[Verdict, str] | None":
    """Ask the reviewer; None where they leave it."""
    from d1_preflight.core.checklist import Prompt, PromptKind
    from d1_preflight.core.review import Verdict

    label = f"You have read the record of {migration}. Your word?"
    choices = (_LEAVE, _APPROVE, _SEND_BACK)
    choice = await asker.ask(Prompt("verdict", PromptKind.CHOOSE, label, choices=choices))
    if choice == _APPROVE:
        return Verdict.APPROVED, ""
    if choice != _SEND_BACK:
        return None
    reason = await asker.ask(Prompt("reason", PromptKind.TEXT, "What has to change?"))
    return (Verdict.SENT_BACK, reason) if isinstance(reason, str) and reason.strip() else None


def _refuse_what_is_not_good(found: "OpenRecord", subject: "Subject") -> None:
    """Nobody counter-signs what does not verify; raises BadSignature or NotAllowed."""
    from d1_preflight.core.errors import BadSignature, NotAllowed
    from d1_preflight.core.review import CLOSED_RECORD, STATEMENT_SUFFIX
    from d1_preflight.core.verify_values import Weight

    problems = [p for p in found.verify().problems if STATEMENT_SUFFIX not in p.file]
    wrong = [p for p in problems if p.weight is Weight.INVALID]
    if wrong:
        first = wrong[0]
        raise BadSignature(f"{first.file} {first.words}.", hint=first.hint)
    steps = [p for p in problems if p.file == CLOSED_RECORD.file]
    if subject is CLOSED_RECORD and steps:
        raise NotAllowed(f"The record is open: {steps[0].words}.", hint=steps[0].hint)


def _signer(found: "OpenRecord") -> "SshSigner":
    from pathlib import Path

    from d1_preflight.adapters.keys import Key, find_keys
    from d1_preflight.adapters.signing import SshSigner
    from d1_preflight.adapters.system import operator_identity
    from d1_preflight.core.errors import ProjectError

    root = found.root or Path.cwd()
    keys: tuple[Key, ...] = find_keys(project=root)
    if not keys:
        raise ProjectError(
            "There is no SSH key here to sign with.",
            hint="Make one: ssh-keygen -t ed25519. Or name one: git config user.signingkey",
        )
    signers = found.allowed_signers or root / found.settings.signing.allowed_signers
    return SshSigner(operator_identity(root), keys[0], signers)


def _nobody_may_sign(signer: "SshSigner") -> Exception:
    from d1_preflight.core.errors import BadSignature

    return BadSignature("No allowed_signers file says who may sign.", hint=_line_to_add(signer))


def _line_to_add(signer: "SshSigner") -> str:
    from d1_preflight.adapters.allowed_signers import key_words
    from d1_preflight.core.signing import REVIEW

    line = f'{signer.identity} namespaces="{REVIEW}" {key_words(signer.key.public)}'
    return f"In a reviewed commit, add to {signer.allowed_signers}: {line}"

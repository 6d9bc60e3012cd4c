"""`preflight review`: a second person reads, then counter-signs or sends back with a reason."""

import argparse
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight.commands.faces import add_record_options
from d1_preflight.commands.output import say, write
from d1_preflight.core.errors import BadSignature, NotAllowed, PreflightError
from d1_preflight.core.format import timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from d1_preflight.adapters.ssh.signer import Operator
    from d1_preflight.adapters.ssh.sshsig import SshSigner
    from d1_preflight.commands.opened_record import OpenRecord
    from d1_preflight.core.checklist.checklist import Prompt
    from d1_preflight.core.record.review import Review, Subject, Verdict
    from d1_preflight.plain.asker import Asker

_APPROVE, _SEND_BACK, _LEAVE = "approve and counter-sign", "send back, with a reason", "leave it"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
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
    parser.add_argument(
        "--replace", action="store_true", help="replace your earlier review of the same files"
    )
    add_record_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show the record, take the reviewer's word, and sign it."""
    from d1_preflight.commands.records import open_record
    from d1_preflight.core.record.review import CLOSED_RECORD, PLAN
    from d1_preflight.plain.asker import open_asker
    from d1_preflight.report import show

    found = open_record(arguments.record, arguments)
    subject = PLAN if arguments.go else CLOSED_RECORD
    write(show(found.record, found.checklist, found.verify()), "The record")
    given = _given(arguments)
    asker = None if given else open_asker()
    import asyncio

    name = asyncio.run(_reviewed(found, subject, given, asker, replace=arguments.replace))
    if name is None:
        say("Nothing was signed.")
        return 1
    say(f"Signed: {found.folder / name} and its .sig. Commit both.")
    return 0


async def _reviewed(
    found: "OpenRecord",
    subject: "Subject",
    given: "tuple[Verdict, str] | None",
    asker: "Asker | None",
    *,
    replace: bool,
) -> str | None:
    """Take the word, given or asked for, and sign it; None where nothing was signed."""
    from d1_preflight.core.record.review import Verdict

    decided = given if asker is None else await ask_verdict(asker, found.record.migration)
    if decided is None:
        return None
    if decided[0] is Verdict.APPROVED:
        _refuse_what_is_not_good(found, subject)
    operator = _operator(found)
    earlier = earlier_word(found, subject, operator.identity)
    if earlier and asker and not replace:
        replace = await asker.ask(_about_replacing(earlier)) is True
        if not replace:
            return None
    if not await _prepared(operator, asker):
        return None
    return sign_review(found, subject, *decided, operator, replace=replace)


def earlier_word(found: "OpenRecord", subject: "Subject", reviewer: str) -> "Review | None":
    """This person's current review of the same bytes, if there is one."""
    from d1_preflight.core.record.review import last_words, read_review, statements_about

    if found.verifier is None:
        return None
    mine = []
    for name in statements_about(found.files, subject):
        with suppress(PreflightError):  # of other bytes, or not good: it counts for nothing
            review = read_review(found.files, found.record, name, found.verifier)
            mine += [review] if review.signer.principal == reviewer else []
    return next(iter(last_words(mine)), None)


def _shown(review: "Review") -> str:
    return f"{review.signer.principal}: {review.verdict} at {timestamp(review.at)}"


def _about_replacing(earlier: "Review") -> "Prompt":
    from d1_preflight.core.checklist.checklist import Prompt, PromptKind

    about = f"You have already reviewed this. {_shown(earlier)}."
    return Prompt("replace", PromptKind.CONFIRM, "Replace it with a new review?", help=about)


def sign_review(
    found: "OpenRecord",
    subject: "Subject",
    verdict: "Verdict",
    reason: str,
    signer: "Operator | SshSigner",
    *,
    replace: bool = False,
) -> str:
    """Sign the statement, check it as everyone else will, and write it; returns its name.

    Raises NotAllowed where the same person has a current review and it is not to be replaced.
    """
    from d1_preflight.adapters.system import SystemClock
    from d1_preflight.core.record.review import (
        operators_of,
        refuse_operator,
        statement,
        statement_name,
    )
    from d1_preflight.core.record.signing import REVIEW, Signature

    if found.verifier is None:
        raise BadSignature(
            "There is no allowed_signers file, so nobody may sign.",
            hint="It travels with the project, or name it: --allowed-signers FILE",
        )
    reviewer = Signature(signer.identity, signer.fingerprint)
    refuse_operator(operators_of(found.files, found.verifier), reviewer)
    if not replace:
        _refuse_second_word(found, subject, signer.identity)
    document = statement(
        found.files, found.record, subject, verdict, reason,
        reviewer=signer.identity, at=SystemClock().now(), heads=_heads(found),
    )  # fmt: skip
    signature = signer.sign(document, REVIEW)
    name = statement_name(found.files, found.record, subject, signer.identity)
    _write_if_good(found, {name: document, f"{name}.sig": signature}, name, signer.identity)
    return name


def _heads(found: "OpenRecord") -> tuple[str, ...]:
    """The ends of the database's chain, so that the signature covers what is before them."""
    chain = found.place.chain if found.place else None
    return tuple(f"{head.sha256}  {head.migration}" for head in chain.heads) if chain else ()


def _refuse_second_word(found: "OpenRecord", subject: "Subject", reviewer: str) -> None:
    if earlier := earlier_word(found, subject, reviewer):
        raise NotAllowed(
            f"Already reviewed. {_shown(earlier)}.",
            hint="--replace signs a new review, which counts in its place.",
        )


def _write_if_good(
    found: "OpenRecord", made: "Mapping[str, bytes]", name: str, reviewer: str
) -> None:
    from d1_preflight.adapters.store import write_durably
    from d1_preflight.core.record.review import read_review

    if found.verifier is None:
        raise AssertionError("signed without anyone to check it")
    try:
        read_review(found.files | dict(made), found.record, name, found.verifier)
    except BadSignature as error:
        hint = f"In a reviewed commit, name {reviewer} in {found.allowed_signers}."
        raise BadSignature(error.message, hint=hint) from error
    for file, data in made.items():
        write_durably(found.folder / file, data)


def _given(arguments: argparse.Namespace) -> "tuple[Verdict, str] | None":
    from d1_preflight.core.record.review import Verdict

    if arguments.approve:
        return Verdict.APPROVED, ""
    if arguments.send_back is not None:
        return Verdict.SENT_BACK, arguments.send_back
    return None


async def ask_verdict(asker: "Asker", migration: str) -> "tuple[Verdict, str] | None":
    """Ask the reviewer; None where they leave it."""
    from d1_preflight.core.checklist.checklist import Prompt, PromptKind
    from d1_preflight.core.record.review import Verdict

    about = f"You have read the record of {migration}, above."
    choices = (_LEAVE, _APPROVE, _SEND_BACK)
    choice = await asker.ask(Prompt("verdict", PromptKind.CHOOSE, "Your decision?", about, choices))
    if choice == _APPROVE:
        return Verdict.APPROVED, ""
    if choice != _SEND_BACK:
        return None
    reason = await asker.ask(Prompt("reason", PromptKind.TEXT, "What has to change?"))
    return (Verdict.SENT_BACK, reason) if isinstance(reason, str) and reason.strip() else None


def _refuse_what_is_not_good(found: "OpenRecord", subject: "Subject") -> None:
    """A record that does not verify cannot be counter-signed; raises BadSignature or NotAllowed."""
    from d1_preflight.core.record.review import CLOSED_RECORD, STATEMENT_SUFFIX
    from d1_preflight.core.verify.problem import Weight

    problems = [p for p in found.verify().problems if STATEMENT_SUFFIX not in p.file]
    wrong = [p for p in problems if p.weight is Weight.INVALID]
    if wrong:
        first = wrong[0]
        raise BadSignature(f"{first.file} {first.words}.", hint=first.hint)
    steps = [p for p in problems if p.file == CLOSED_RECORD.file]
    if subject is CLOSED_RECORD and steps:
        raise NotAllowed(f"The record is open: {steps[0].words}.", hint=steps[0].hint)


def _operator(found: "OpenRecord") -> "Operator":
    import os

    from d1_preflight.adapters.git.facts import operator_identity
    from d1_preflight.adapters.ssh.signer import Operator

    root = found.root or Path.cwd()
    signing = found.settings.signing
    signers = found.allowed_signers or root / signing.allowed_signers
    return Operator(operator_identity(root), root, signers, os.environ, signing.key)


async def _prepared(operator: "Operator", asker: "Asker | None") -> bool:
    """Create what the first signature needs, after asking; BadSignature without a terminal."""
    from d1_preflight.core.checklist.checklist import Prompt, PromptKind

    missing = "; ".join(operator.missing)
    if not missing:
        return True
    if asker is None:
        raise BadSignature(
            f"{operator.identity} cannot sign yet.", hint=f"The first signature {missing}."
        )
    if (
        await asker.ask(
            Prompt("prepare", PromptKind.CONFIRM, f"First signature: {missing}. Continue?")
        )
        is True
    ):
        operator.prepare()
        return True
    return False

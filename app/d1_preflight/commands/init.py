"""`preflight init`: writes preflight.toml by asking, one question at a time."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight.commands.output import say, write
from d1_preflight.core.errors import ProjectError, Rejected

if TYPE_CHECKING:
    from d1_preflight.core.checklist.checklist import Prompt
    from d1_preflight.core.project.settings import Settings, Verification
    from d1_preflight.plain.asker import Asker


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("init", help="write preflight.toml by answering questions")
    parser.add_argument(
        "--config", type=Path, default=argparse.SUPPRESS,
        help="the wrangler configuration, if it is not found",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask, show the file, write it after a yes; nothing is lost that stood there."""
    from d1_preflight.adapters.configuration import find_config
    from d1_preflight.plain.asker import open_asker

    folder = find_config(Path.cwd(), arguments.config).parent
    import asyncio

    written = asyncio.run(initialise(folder, open_asker()))
    if written is None:
        say("Nothing was written.")
        return 1
    write(f"{written}\n", "The path")
    return 0


async def initialise(folder: Path, asker: "Asker") -> Path | None:
    """Ask for the team's decisions; None if the person leaves a question or declines."""
    from d1_preflight.adapters.project_files import read_settings, write_settings
    from d1_preflight.adapters.regular_file import read_file
    from d1_preflight.core.project.settings import SETTINGS_NAME, dump_settings, load_settings

    path = folder / SETTINGS_NAME
    before = read_settings(folder)
    old = read_file(path).decode("utf-8-sig") if path.exists() else None
    answers: dict[str, str] = {}
    for prompt in questions(before):
        answer = await _answer(asker, prompt)
        if answer is None:
            return None
        answers[prompt.key] = answer
    text = dump_settings(with_answers(before, answers))
    after = load_settings(text)  # what is written can be read
    if old is not None and after == before:
        say(f"Nothing changes: {path} stays as it is.")
        return path
    if await asker.ask(_last_question(path, old, text)) is not True:
        return None
    return write_settings(folder, after)


def _last_question(path: Path, old: str | None, text: str) -> "Prompt":
    """Whether to write; over a file that is there, what goes and what comes, comments too."""
    from difflib import unified_diff

    from d1_preflight.core.checklist.checklist import Prompt, PromptKind

    if old is None:
        shown = text.strip() or "(all defaults)"
        return Prompt("write", PromptKind.CONFIRM, f"Write this to {path}?", help=shown)
    names = (f"a/{path.name}", f"b/{path.name}")
    lines = list(unified_diff(old.splitlines(), text.splitlines(), *names, lineterm=""))
    if "#" in old:
        lines.append("The file is rewritten: comments in it are lost.")
    label = f"Change {path} like this?"
    return Prompt("write", PromptKind.CONFIRM, label, help="\n".join(lines))


def questions(before: "Settings") -> "tuple[Prompt, ...]":
    """What is asked; an empty answer keeps what is set."""
    from d1_preflight.adapters.system import machine_zone
    from d1_preflight.core.checklist.checklist import Prompt, PromptKind
    from d1_preflight.core.project.setting_types import SecondPerson

    def text(key: str, label: str, kept: str, about: str = "") -> Prompt:
        shown = f"Enter keeps: {kept or 'nothing'}. {about}".strip()
        return Prompt(key, PromptKind.TEXT, label, help=shown, optional=True)

    zone = before.team.timezone or f"this machine's, {machine_zone()}"
    second = before.signing.second_person.value
    endpoints = " ".join(endpoint.url for endpoint in before.verification.endpoints)
    return (
        text("team", "What is the team called?", before.team.name),
        text("zone", "In which time zone do you read times?", zone, "E.g. America/New_York"),
        text(
            "users", "In which time zones are the users?", " ".join(before.users.timezones),
            "Separate several with spaces.",
        ),
        text(
            "critical", "Which tables must always be backed up?",
            " ".join(before.data.critical_tables), "Separate several with spaces.",
        ),
        text("channel", "Which channel is notified before the apply?", before.notify.channel),
        text(
            "webhook", "Which environment variable holds its webhook's address?",
            before.notify.webhook_env, "The name only; the address itself is never stored.",
        ),
        text(
            "endpoints", "Which addresses must answer with 200 afterwards?", endpoints,
            "Separate several with spaces; for tokens and other codes edit the file.",
        ),
        Prompt(
            "second", PromptKind.CHOOSE, "When does GO need a second person?",
            help=f"Enter keeps: {second}.",  # because it is the first choice
            choices=(second, *(w.value for w in SecondPerson if w.value != second)),
        ),
    )  # fmt: skip


def with_answers(before: "Settings", answers: Mapping[str, str]) -> "Settings":
    """The settings with what was answered; raises Rejected for what a setting cannot be."""
    from dataclasses import replace

    from d1_preflight.core.project.setting_types import SecondPerson

    def given(key: str, kept: str) -> str:
        return answers.get(key, "") or kept

    def words(key: str, kept: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(answers.get(key, "").replace(",", " ").split()) or kept

    return replace(
        before,
        team=replace(
            before.team,
            name=given("team", before.team.name),
            timezone=given("zone", before.team.timezone),
        ),
        users=replace(before.users, timezones=words("users", before.users.timezones)),
        data=replace(before.data, critical_tables=words("critical", before.data.critical_tables)),
        notify=replace(
            before.notify,
            channel=given("channel", before.notify.channel),
            webhook_env=given("webhook", before.notify.webhook_env),
        ),
        verification=_with_endpoints(before.verification, words("endpoints", ())),
        signing=replace(
            before.signing,
            second_person=SecondPerson(given("second", before.signing.second_person.value)),
        ),
    )


def _with_endpoints(verification: "Verification", urls: tuple[str, ...]) -> "Verification":
    from dataclasses import replace

    from d1_preflight.core.project.setting_types import Endpoint

    known = {endpoint.url: endpoint for endpoint in verification.endpoints}
    found = tuple(known.get(url, Endpoint(url)) for url in urls)
    return replace(verification, endpoints=found) if found else verification


async def _answer(asker: "Asker", prompt: "Prompt") -> str | None:
    """An answer that the settings can hold; asked again in their own words where not."""
    from d1_preflight.core.project.settings import Settings, dump_settings, load_settings

    while True:
        raw = await asker.ask(prompt)
        if raw is None:
            return None
        try:
            answer = str(prompt.read(raw))
            load_settings(dump_settings(with_answers(Settings(), {prompt.key: answer})))
        except (ProjectError, Rejected) as error:
            say(f"✗ {error.message} {error.hint}")
        else:
            return answer

"""`preflight doctor`: what is missing on this machine and in this project, and the fix for each."""

import argparse
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight.commands.faces import add_project_arguments
from d1_preflight.commands.output import clean, write

if TYPE_CHECKING:
    from d1_preflight.core.project import Project
    from d1_preflight.core.record import Status


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: its state, what was seen, and what to do."""

    status: "Status"
    title: str
    words: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where we look: the folder, the environment, and the project if one could be opened."""

    start: Path
    environ: Mapping[str, str]
    project: "Project | None" = None


Look = Callable[[Surroundings], Iterator[Check]]


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("doctor", help="what is missing on this machine, and the fix")
    add_project_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Look at everything, print what was seen; 1 where something has to be done."""
    from d1_preflight.core.record import MARKS

    checks = list(examine(arguments, Path.cwd(), os.environ))
    width = max(len(check.title) for check in checks)
    lines: list[str] = []
    for check in checks:
        lines.append(f"{MARKS[check.status]} {check.title:<{width}}  {check.words}")
        if check.fix:
            lines.append(f"  {'':<{width}}  fix: {check.fix}")
    to_do = [check for check in checks if not check.status.is_answered]
    end = f"{len(to_do)} of {len(checks)} need something." if to_do else "All is there."
    write("".join(f"{clean(line)}\n" for line in (*lines, "", end)))
    return 1 if to_do else 0


def examine(
    arguments: argparse.Namespace, start: Path, environ: Mapping[str, str]
) -> Iterator[Check]:
    """Every check in the order in which to mend things; a check that cannot look says so."""
    from d1_preflight.adapters.files import open_project
    from d1_preflight.core.errors import PreflightError

    around = Surroundings(start, environ)
    for title, look in _MACHINE:
        yield from _looked(title, look, around)
    try:
        project = open_project(
            start, config=arguments.config, environment=arguments.env,
            database=arguments.database, environ=environ,
        )  # fmt: skip
    except PreflightError as error:
        yield _failed("project", error.message, error.hint)
        return
    around = Surroundings(project.root, environ, project)
    for title, look in _PROJECT:
        yield from _looked(title, look, around)


def _looked(title: str, look: Look, around: Surroundings) -> Iterator[Check]:
    from d1_preflight.core.errors import PreflightError

    try:
        yield from look(around)
    except PreflightError as error:
        yield _failed(title, error.message, error.hint)


def _python(_around: Surroundings) -> Iterator[Check]:
    import platform

    import apsw

    version = f"{platform.python_version()}, SQLite {apsw.sqlite_lib_version()}"
    yield _good("Python", version)


def _node(around: Surroundings) -> Iterator[Check]:
    from d1_preflight.adapters.nodes import find_node

    node = find_node(around.environ)
    yield _good("Node", f"{node.version} at {node.path}")


def _ssh_keygen(around: Surroundings) -> Iterator[Check]:
    from d1_preflight.adapters.processes import on_path

    found = next(iter(on_path("ssh-keygen", around.environ)), None)
    if found is None:
        yield _failed("ssh-keygen", "not found", "Install OpenSSH 8.2 or newer (openssh-client).")
    else:
        yield _good("ssh-keygen", str(found))


def _credentials(around: Surroundings) -> Iterator[Check]:
    """Only whether they are there; their values are never read."""
    variables = ("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY")
    found = next((name for name in variables if around.environ.get(name)), None)
    home = Path(around.environ.get("HOME") or "~").expanduser()
    config = Path(around.environ.get("XDG_CONFIG_HOME") or home / ".config")
    logins = (config / ".wrangler/config/default.toml", home / ".wrangler/config/default.toml")
    if found:
        yield _good("credentials", f"{found} is set")
    elif any(path.is_file() for path in logins):
        yield _good("credentials", "wrangler is logged in")
    else:
        fix = "wrangler login. Or set CLOUDFLARE_API_TOKEN (D1 edit, Workers scripts read)."
        yield _failed("credentials", "no API token is set and wrangler is not logged in", fix)


def _wrangler(around: Surroundings) -> Iterator[Check]:
    from d1_preflight.adapters.toolchain import PINNED_WRANGLER, find_toolchain

    project = _project_of(around)
    command = project.settings.wrangler.command
    found = find_toolchain(project=project.root, setting=command, environ=around.environ)
    pinned = "" if found.wrangler_version == PINNED_WRANGLER else f"; tried with {PINNED_WRANGLER}"
    yield _good("wrangler", f"{found.wrangler_version} ({found.source}){pinned}")


def _database(around: Surroundings) -> Iterator[Check]:
    project = _project_of(around)
    yield _good("project", f"{project.config.words} in {project.root}")
    yield _good("database", f"{project.database.name} {project.database.id}")


def _migrations(around: Surroundings) -> Iterator[Check]:
    from d1_preflight.adapters.files import require_migrations
    from d1_preflight.core.migration import UnreadableMigration, looks_like_down
    from d1_preflight.core.pending import pending_set

    project = _project_of(around)
    files = require_migrations(project.database, project.config)
    names = [file.name for file in files]
    wrong = [f"{f.name}: {f.problem}" for f in files if isinstance(f, UnreadableMigration)]
    wrong += [f"{n} would be applied as a migration" for n in names if looks_like_down(n)]
    wrong += [f"same number: {', '.join(g)}" for g in pending_set(names, ()).duplicates]
    if wrong:
        fix = "Mend these files; wrangler would take them as they are."
        yield _failed("migrations", "; ".join(wrong), fix)
    else:
        yield _good("migrations", f"{len(names)}, the last is {names[-1]}")


def _git(around: Surroundings) -> Iterator[Check]:
    from d1_preflight.adapters.system import is_ignored, read_git

    project = _project_of(around)
    facts = read_git(project.root)
    if not facts.commit:
        yield _unknown("git", "no repository, or no commit", "Records belong into git: git init")
        return
    yield _good("git", f"{facts.commit[:12]}{', with changes' if facts.is_dirty else ''}")
    made = project.workspace.is_dir()
    if made and is_ignored(project.workspace / "backups") is not True:
        fix = f"Add {project.workspace.name}/ to .gitignore: backups hold rows."
        yield _failed(project.workspace.name, "git does not ignore it", fix)
    else:
        yield _good(project.workspace.name, "ignored by git" if made else "made when needed")


def _key(around: Surroundings) -> Iterator[Check]:
    from d1_preflight.adapters.operator import Operator
    from d1_preflight.adapters.system import operator_identity

    project = _project_of(around)
    signing = project.settings.signing
    identity = operator_identity(project.root)
    signers = project.root / signing.allowed_signers
    operator = Operator(identity, project.root, signers, around.environ, signing.key)
    missing = "; ".join(operator.missing)
    if missing:
        words = f"{identity} cannot sign yet"
        yield _failed("signing key", words, f"The wizard asks before GO, then does it: {missing}")
    else:
        yield _good("signing key", f"{identity} {operator.fingerprint}")


def _zones(around: Surroundings) -> Iterator[Check]:
    from d1_preflight.adapters.system import machine_zone
    from d1_preflight.core.settings import SETTINGS_NAME

    project = _project_of(around)
    settings = project.settings
    here = (project.root / SETTINGS_NAME).is_file()
    words = SETTINGS_NAME if here else f"no {SETTINGS_NAME}: every setting is at its default"
    yield _good("settings", words)
    if settings.users.timezones:
        yield _good("users' zones", ", ".join(settings.users.timezones))
    else:
        zone = settings.team.timezone or machine_zone()
        words = f"not set; {zone} is taken for them"
        yield _unknown("users' zones", words, "preflight init asks for them.")


def _secrets(around: Surroundings) -> Iterator[Check]:
    """The variables that the settings name are set; what they hold is never looked at."""
    settings = _project_of(around).settings
    names = [settings.notify.webhook_env]
    for endpoint in settings.verification.endpoints:
        names += [endpoint.bearer_env, *(name for _, name in endpoint.header_env)]
    missing = [name for name in dict.fromkeys(names) if name and not around.environ.get(name)]
    if missing:
        yield _failed("variables", f"not set: {', '.join(missing)}", "Set them before you start.")
    elif any(names):
        yield _good("variables", "all that the settings name are set")
    if not settings.verification.endpoints:
        fix = "preflight init asks for them; without any, section 6 is attested, not proved."
        yield _unknown("endpoints", "none are named", fix)


_MACHINE: tuple[tuple[str, Look], ...] = (
    ("Python", _python),
    ("Node", _node),
    ("ssh-keygen", _ssh_keygen),
    ("credentials", _credentials),
)
_PROJECT: tuple[tuple[str, Look], ...] = (
    ("database", _database),
    ("wrangler", _wrangler),
    ("migrations", _migrations),
    ("git", _git),
    ("signing key", _key),
    ("settings", _zones),
    ("variables", _secrets),
)


def _project_of(around: Surroundings) -> "Project":
    if around.project is None:
        raise AssertionError("looked at before the project was opened")
    return around.project


def _good(title: str, words: str) -> Check:
    from d1_preflight.core.record import Status

    return Check(Status.PROVED, title, words)


def _failed(title: str, words: str, fix: str) -> Check:
    from d1_preflight.core.record import Status

    return Check(Status.FAILED, title, words, fix)


def _unknown(title: str, words: str, fix: str) -> Check:
    from d1_preflight.core.record import Status

    return Check(Status.UNKNOWN, title, words, fix)

"""`preflight doctor`: what is missing on this machine and in this project, and the fix for each."""

import argparse
import os
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight.commands.checks import Check, Look, Surroundings, failed, good
from d1_preflight.commands.faces import add_project_arguments, named
from d1_preflight.commands.output import clean, write
from d1_preflight.commands.project_checks import PROJECT
from d1_preflight.commands.target_checks import login_files
from d1_preflight.core.errors import PreflightError, WranglerUnavailable
from d1_preflight.core.format import plural
from d1_preflight.lazy_dataclass import replace

if TYPE_CHECKING:
    from d1_preflight.adapters.wrangler.dotenv import CommandEnvironment, Version
    from d1_preflight.core.project.settings import Settings


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("doctor", help="what is missing on this machine, and the fix")
    add_project_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run every check and print the results; 1 where one failed."""
    from d1_preflight.core.record.record import MARKS

    checks = list(examine(arguments, Path.cwd(), os.environ))
    width = max(len(check.title) for check in checks)
    lines: list[str] = []
    for check in checks:
        lines.append(f"{MARKS[check.status]} {check.title:<{width}}  {check.words}")
        if check.fix:
            lines.append(f"  {'':<{width}}  fix: {check.fix}")
    failed = [check for check in checks if not check.status.is_answered]
    end = "All checks passed."
    if failed:
        end = f"{len(failed)} of {plural(len(checks), 'check')} failed."
    write("".join(f"{clean(line)}\n" for line in (*lines, "", end)))
    return 1 if failed else 0


def examine(
    arguments: argparse.Namespace, start: Path, environ: Mapping[str, str]
) -> Iterator[Check]:
    """Every check, in the order in which to fix things; a check that cannot run says so."""
    from d1_preflight.adapters.project_files import open_surroundings

    folder = _folder(start, arguments.config)
    around = Surroundings(folder, _without_programs_of(folder, environ))
    around = replace(around, command=_command_environment(around, arguments.env))
    for title, look in _MACHINE:
        yield from _looked(title, look, around)
    try:
        project = open_surroundings(
            start, **named(arguments), environ=environ,
            wrangler=partial(_wrangler_version, environ=around.environ),
        ).project  # fmt: skip
    except PreflightError as error:
        yield failed("project", error.message, error.hint)
        return
    outside = _without_programs_of(project.root, environ)
    around = Surroundings(project.root, outside, project, around.command)
    for title, look in PROJECT:
        yield from _looked(title, look, around)


def _folder(start: Path, config: Path | None) -> Path:
    """Where wrangler would be started: in the project's folder, if there is a project."""
    from d1_preflight.adapters.configuration import find_config

    try:
        return find_config(start, config).parent
    except PreflightError:
        return start


def _command_environment(around: Surroundings, asked: str | None) -> "CommandEnvironment":
    """What the wrangler of this folder would find in its environment, by its version's rules."""
    from d1_preflight.adapters.project_files import read_settings
    from d1_preflight.adapters.wrangler.dotenv import read_environment
    from d1_preflight.core.project.settings import Settings

    try:
        settings = read_settings(around.start)
    except PreflightError:
        settings = Settings()
    version = _wrangler_version(around.start, settings, environ=around.environ)
    return read_environment(around.start, around.environ, wrangler=version, environment=asked)


def _wrangler_version(
    root: Path, settings: "Settings", *, environ: Mapping[str, str]
) -> "Version | None":
    """As its files tell, for nothing of a checkout is run; None, the newest, where they do not."""
    from d1_preflight.adapters.wrangler.nodes import read_version
    from d1_preflight.adapters.wrangler.packages import Package
    from d1_preflight.adapters.wrangler.toolchain import look_for_wrangler
    from d1_preflight.core.project.setting_types import WranglerUse

    try:
        own = settings.wrangler.use is WranglerUse.OWN
        command = settings.wrangler.command
        _, found = look_for_wrangler(project=root, setting=command, own=own, environ=environ)
    except WranglerUnavailable:
        return None
    return read_version(found.version) if isinstance(found, Package) else None


def _without_programs_of(folder: Path, environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment with a PATH that finds no program of the checkout: none of it is run."""
    from d1_preflight.adapters.git.checkout import checkout_of, path_outside

    return {**environ, "PATH": path_outside(environ, checkout_of(folder) or folder)}


def _looked(title: str, look: Look, around: Surroundings) -> Iterator[Check]:
    try:
        yield from look(around)
    except PreflightError as error:
        yield failed(title, error.message, error.hint)


def _python(_around: Surroundings) -> Iterator[Check]:
    import platform

    import apsw

    version = f"{platform.python_version()}, SQLite {apsw.sqlite_lib_version()}"
    yield good("Python", version)


def _node(around: Surroundings) -> Iterator[Check]:
    from d1_preflight.adapters.wrangler.nodes import find_node

    node = find_node(around.environ)
    yield good("Node", f"{node.version} at {node.path}")


def _ssh_keygen(around: Surroundings) -> Iterator[Check]:
    from d1_preflight.adapters.processes import on_path

    found = next(iter(on_path("ssh-keygen", around.environ)), None)
    if found is None:
        yield failed("ssh-keygen", "not found", "Install OpenSSH 8.2 or newer (openssh-client).")
    else:
        yield good("ssh-keygen", str(found))


def _credentials(around: Surroundings) -> Iterator[Check]:
    """Whether wrangler finds them, and where: their values are never shown."""
    from d1_preflight.core.target.api_place import ACCOUNT_NAMES, first_set, login_variable

    here = around.of_wrangler
    found = login_variable(here.variables)
    account = first_set(here.variables, ACCOUNT_NAMES)
    more = f"; {account} is set in {here.source(account)}" if account else ""
    if found:
        yield good("credentials", f"{found} is set in {here.source(found)}{more}")
    elif login_files(around):
        yield good("credentials", f"wrangler is logged in{more}")
    else:
        fix = "wrangler login. Or set CLOUDFLARE_API_TOKEN (D1 edit, Workers scripts read)."
        yield failed("credentials", "no API token is set and wrangler is not logged in", fix)


_MACHINE: tuple[tuple[str, Look], ...] = (
    ("Python", _python),
    ("Node", _node),
    ("ssh-keygen", _ssh_keygen),
    ("credentials", _credentials),
)

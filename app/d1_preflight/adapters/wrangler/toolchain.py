"""Finds a wrangler and a Node that can run it, or installs the pinned one for this user.

Versions are read from wrangler's package.json: asking wrangler itself costs more than a second.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path

from d1_preflight.adapters.git.checkout import checkout_of
from d1_preflight.adapters.locks import take
from d1_preflight.adapters.own_cache import user_cache
from d1_preflight.adapters.processes import TOO_SLOW, ask_version, clean, on_path
from d1_preflight.adapters.wrangler.nodes import Node, Version, find_node, read_version
from d1_preflight.adapters.wrangler.npm import Npm
from d1_preflight.adapters.wrangler.packages import (
    Package,
    not_installed,
    npx_packages,
    package_at,
    package_of,
)
from d1_preflight.core.errors import WranglerUnavailable
from d1_preflight.disk import writing
from d1_preflight.lazy_dataclass import dataclass

OLDEST_WRANGLER: Version = (4, 0, 0)
PINNED_WRANGLER = "4.164.0"
_PATIENCE = 10.0
_NOTHING = "Nothing was installed."
_LONGEST_WORD = 200
_OWN_HINT = f'Or use preflight\'s own, {PINNED_WRANGLER}: [wrangler] use = "own" in preflight.toml.'


class Source(StrEnum):
    """Where a wrangler was found, in the order of the search."""

    SETTING = "setting"
    PROJECT = "project"
    PATH = "path"
    NPX = "npx"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class Toolchain:
    """How to start wrangler: the words before its arguments, and what will run."""

    argv: tuple[str, ...]
    wrangler_version: str
    source: Source
    compile_cache: Path
    node: Path | None = None
    node_version: str = ""


def find_toolchain(
    *,
    project: Path,
    setting: str = "",
    own: bool = False,
    environ: Mapping[str, str] | None = None,
    cache: Path | None = None,
    patience: float = _PATIENCE,
) -> Toolchain:
    """Find wrangler: setting, the project's, PATH, npx's, our own; WranglerUnavailable if none.

    A wrangler that the setting or the project names is never passed over for another one: when it
    cannot be used, that is said. With `own` only ours counts. A program of which no package is
    known is asked for its version, and waited for so many seconds.
    """
    env, folder = os.environ if environ is None else environ, cache or user_cache()
    source, found = look_for_wrangler(
        project=project, setting=setting, own=own, environ=env, cache=folder
    )
    if isinstance(found, Package):
        return _with_node(source, found, env, folder)
    return _with_command(source, found, env, folder, patience)


def look_for_wrangler(
    *,
    project: Path,
    setting: str = "",
    own: bool = False,
    environ: Mapping[str, str] | None = None,
    cache: Path | None = None,
) -> tuple[Source, Package | Path]:
    """The wrangler that `find_toolchain` would find, read from its files: nothing is run.

    A Path is a program whose package is not known, so neither is its version.
    """
    env = os.environ if environ is None else environ
    folder = cache or user_cache()
    for source, found in _own(folder) if own else _places(project, setting, env, folder):
        if isinstance(found, Package):
            _check_age(found.version, str(found.script))
        return source, found
    raise WranglerUnavailable(
        "wrangler was not found: not in the project's node_modules, on PATH, or from npx.",
        hint="In the project: npm install --save-dev wrangler. Or name it in the settings.",
    )


async def install(
    progress: Callable[[str], None],
    *,
    environ: Mapping[str, str] | None = None,
    cache: Path | None = None,
) -> Toolchain:
    """Install the pinned wrangler for this user, once; a second call finds it in place."""
    env = os.environ if environ is None else environ
    folder = cache or user_cache()
    home = _own_home(folder)
    with writing(folder, _NOTHING, done="made"):
        folder.mkdir(parents=True, exist_ok=True)
    async with _alone(folder / "install.lock", progress):
        if _own_package(folder) is None:
            node = find_node(env)
            progress(f"Installing wrangler {PINNED_WRANGLER} (about 230 MB on disk)…")
            await Npm(node, env, progress).install(f"wrangler@{PINNED_WRANGLER}", home)
            progress(f"wrangler {PINNED_WRANGLER} is installed.")
    package = _own_package(folder)
    if package is None:
        raise WranglerUnavailable(
            f"npm finished, but {home} has no wrangler {PINNED_WRANGLER}.",
            hint=f"Remove {home} and try again.",
        )
    return _with_node(Source.OWN, package, env, folder)


def _places(
    project: Path, setting: str, env: Mapping[str, str], cache: Path
) -> Iterator[tuple[Source, Package | Path]]:
    if setting:
        yield Source.SETTING, _named(project, setting)
    for folder in (project, *project.parents):
        if package := package_at(folder / "node_modules" / "wrangler"):
            yield Source.PROJECT, package
    if missing := next(filter(None, map(not_installed, _folders_of(project))), ""):
        raise WranglerUnavailable(f"{missing}.", hint=f"Install it: npm install. {_OWN_HINT}")
    for path in on_path("wrangler", env):
        yield Source.PATH, package_of(path) or path
    for package in npx_packages(env):
        yield Source.NPX, package
    yield from _own(cache)


def _own(cache: Path) -> Iterator[tuple[Source, Package | Path]]:
    if package := _own_package(cache):
        yield Source.OWN, package


def _folders_of(project: Path) -> tuple[Path, ...]:
    """The project's folder and those above it, as far as its checkout reaches."""
    top = checkout_of(project) or project
    return tuple(folder for folder in (project, *project.parents) if folder.is_relative_to(top))


def _named(project: Path, setting: str) -> Package | Path:
    """The wrangler a setting names: a program, its script, its package, or a project folder."""
    path = project / Path(setting).expanduser()
    if path.is_dir():
        package = package_at(path) or package_at(path / "node_modules" / "wrangler")
    else:
        package = package_of(path)
    if package:
        return package
    if path.is_file() and os.access(path, os.X_OK):
        return path
    raise WranglerUnavailable(
        f'The setting wrangler = "{setting}" names no wrangler that can be run.',
        hint="Correct the path in the settings, or remove it to search for wrangler.",
    )


def _own_home(cache: Path) -> Path:
    return cache / f"wrangler-{PINNED_WRANGLER}"


def _own_package(cache: Path) -> Package | None:
    package = package_at(_own_home(cache) / "node_modules" / "wrangler")
    return package if package and package.version == PINNED_WRANGLER else None


def _with_node(source: Source, package: Package, env: Mapping[str, str], cache: Path) -> Toolchain:
    _check_age(package.version, str(package.script))
    node = find_node(env)
    return Toolchain(
        argv=(str(node.path), str(package.script)),
        wrangler_version=package.version,
        source=source,
        compile_cache=cache / "node-compile-cache",
        node=node.path,
        node_version=node.version,
    )


def _with_command(
    source: Source, program: Path, env: Mapping[str, str], cache: Path, patience: float
) -> Toolchain:
    """A program whose package is not known (a version manager's shim): ask it.

    One that its own Node is too old for is asked, and run, with the Node that we would choose.
    """
    node, answer = None, ask_version(program, patience, env.get("PATH", ""))
    version = read_version(answer.text)
    if answer.exit_code not in (0, TOO_SLOW) and (found := _any_node(env)):
        path = os.pathsep.join((str(found.path.parent), env.get("PATH", os.defpath)))
        second = ask_version(program, patience, path)
        if second.exit_code == 0 and read_version(second.text):
            node, answer, version = found, second, read_version(second.text)
    if answer.exit_code != 0 or version is None:
        said = answer.reason or clean(answer.text.partition("\n")[0])[:_LONGEST_WORD] or "nothing"
        again = "; then start preflight again" if answer.exit_code == TOO_SLOW else ""
        raise WranglerUnavailable(
            f"{program} does not answer to --version: {said}",
            hint=f"Name another wrangler in the settings, or repair this one{again}.",
        )
    text = ".".join(map(str, version))
    _check_age(text, str(program))
    compile_cache = cache / "node-compile-cache"
    if node is None:
        return Toolchain((str(program),), text, source, compile_cache)
    return Toolchain((str(program),), text, source, compile_cache, node.path, node.version)


def _any_node(env: Mapping[str, str]) -> Node | None:
    try:
        return find_node(env)
    except WranglerUnavailable:
        return None


def _check_age(version: str, place: str) -> None:
    number = read_version(version)
    if number is None or number < OLDEST_WRANGLER:
        raise WranglerUnavailable(
            f"wrangler {version} at {place} is too old.",
            hint="In the project: npm install --save-dev wrangler@latest (4.0 or newer). "
            f"{_OWN_HINT}",
        )


@asynccontextmanager
async def _alone(path: Path, progress: Callable[[str], None]) -> AsyncIterator[None]:
    """Hold the installation's lock; another installer is waited for, without holding the loop."""
    told = False
    while (handle := take(path)) is None:
        if not told:
            progress("Another session is installing wrangler; waiting for it…")
        told = True
        await asyncio.sleep(0.2)
    try:
        yield
    finally:
        os.close(handle)

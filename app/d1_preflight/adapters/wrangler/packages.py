"""Recognises installed wrangler packages: behind a program, in a folder, in npx's cache."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from d1_preflight.adapters.processes import clean
from d1_preflight.adapters.regular_file import json_of
from d1_preflight.adapters.wrangler.nodes import read_version
from d1_preflight.lazy_dataclass import dataclass

_DEPENDENCIES = ("devDependencies", "dependencies")
_PNP = (".pnp.cjs", ".pnp.js")


@dataclass(frozen=True, slots=True)
class Package:
    """An installed wrangler package: its start script and its version."""

    script: Path
    version: str


def package_of(program: Path) -> Package | None:
    """The package behind a program: a link into it, or a shim in the same node_modules."""
    if not program.exists():
        return None
    real = program.resolve()
    shim = program.parent.parent / "wrangler" if program.parent.name == ".bin" else None
    folders = (real.parent.parent, shim, program.parent.parent / "lib/node_modules/wrangler")
    found = (package_at(folder) for folder in folders if folder)
    return next((package for package in found if package), None)


def not_installed(folder: Path) -> str:
    """What a folder says of a wrangler that is not there, in words; "" where it says nothing.

    Its package.json may pin one, `.bin` may hold a shim whose package is gone, and Yarn's
    Plug'n'Play keeps packages in archives that only Yarn opens.
    """
    shim = folder / "node_modules" / ".bin" / "wrangler"
    if os.path.lexists(shim):
        return f"{shim} leads to no wrangler package"
    pinned = _pinned(folder / "package.json")
    if not pinned:
        return ""
    words = f"{folder / 'package.json'} names wrangler {pinned}, and it is not installed"
    is_pnp = any((folder / name).is_file() for name in _PNP)
    return f"{words} in a node_modules (Yarn's Plug'n'Play is used)" if is_pnp else words


def _pinned(path: Path) -> str:
    facts = json_of(path)
    tables = [facts.get(key) for key in _DEPENDENCIES] if isinstance(facts, dict) else []
    found = (table.get("wrangler") for table in tables if isinstance(table, dict))
    return next((clean(str(version)) for version in found if version), "")


def package_at(folder: Path) -> Package | None:
    """The package in a folder; None unless it is wrangler and its start script is there."""
    match json_of(folder / "package.json"):
        case {"name": "wrangler", "version": str(version), "bin": {"wrangler": str(script)}}:
            path = folder / script
            return Package(path, clean(version)) if path.is_file() else None
    return None


def npx_packages(env: Mapping[str, str]) -> Iterator[Package]:
    """What `npx --no-install wrangler` would run: the packages in npx's cache, newest first.

    Asking npx itself costs seconds on every start.
    """
    home = env.get("npm_config_cache") or Path(env.get("HOME", "~")).expanduser() / ".npm"
    folders = (Path(home) / "_npx").glob("*/node_modules/wrangler")
    packages = [package for folder in folders if (package := package_at(folder))]
    yield from sorted(
        packages, key=lambda package: read_version(package.version) or (), reverse=True
    )

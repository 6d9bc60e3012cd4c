"""Finds the project's wrangler configuration, and reads it.

Wrangler looks in the folder and above it. Where nothing with a D1 database is there, the folders
below are walked, within bounds, then those of the whole checkout: one that is found is taken,
and among several a person chooses, once.
"""

import os
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from d1_preflight.adapters.git.checkout import checkout_of
from d1_preflight.adapters.regular_file import MAX_BYTES, read_file
from d1_preflight.core.errors import NoConfiguration, ProjectError, Undecided
from d1_preflight.core.project.settings import SETTINGS_NAME, load_settings
from d1_preflight.core.project.wrangler_config import CONFIG_NAMES, WranglerConfig
from d1_preflight.core.project.wrangler_config_file import config_keys, parse_config
from d1_preflight.lazy_dataclass import replace

DEPLOY_REDIRECT = Path(".wrangler", "deploy", "config.json")
"""Where a build tool names the configuration that `wrangler deploy` takes instead."""
_CF_NAME = "cloudflare.config.ts"
_DEEPEST = 6
_MOST_ENTRIES = 20_000
_MOST_SHOWN = 8
_OTHERS = frozenset({"node_modules", "dist", "build", "out", "coverage", "vendor", "target"})


def find_config(start: Path, explicit: Path | None = None) -> Path:
    """The configuration of the project at `start`; raises ProjectError, or Undecided.

    `explicit` is what --config says; without it, the choice that preflight.toml remembers.
    """
    folder = Path(os.path.realpath(start))
    if explicit is not None:
        return _named(Path(os.path.normpath(folder / explicit)), "Correct --config.")
    above = config_above(folder)
    if remembered := _remembered(folder, above):
        return remembered
    if above is not None and _has_database(above):
        return above
    below = _below(folder if above is None else above.parent)
    if above is not None:
        return _one(below, above.parent) or above
    return _one(below, folder) or _in_checkout(folder) or _nowhere(folder)


def holds_config(folder: Path) -> bool:
    """Whether a configuration lies in this very folder: asked without a search below and above."""
    return any(_is_config(entry.name) for entry in _entries(folder))


def other_configs(taken: Path) -> tuple[Path, ...]:
    """Configurations beside the one that was taken which have D1 databases too."""
    beside = (entry for entry in sorted(taken.parent.iterdir()) if _is_config(entry.name))
    return tuple(path for path in beside if path != taken and _has_database(path))


def deployed_config(folder: Path) -> Path | None:
    """The configuration that `wrangler deploy` takes instead of the folder's own."""
    import json

    try:
        named = json.loads(text_of(folder / DEPLOY_REDIRECT))["configPath"]
        path = Path(os.path.normpath((folder / DEPLOY_REDIRECT).parent / named))
    except (ProjectError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return path if os.path.isfile(path) else None  # noqa: PTH113 - see config_above


def remembering(text: str, choice: str, *, table: str = "wrangler", key: str = "config") -> str:
    """The text of a preflight.toml in which a key names a file; all else in it stays."""
    import json

    line, heading = f"{key} = {json.dumps(choice, ensure_ascii=False)}", f"[{table}]"
    lines = text.splitlines()
    if heading in lines:
        at = lines.index(heading) + 1
        lines[at:at] = [line]
    else:
        lines += [*([""] if lines else []), heading, line]
    return "\n".join(lines) + "\n"


def _named(path: Path, hint: str) -> Path:
    if not os.path.isfile(path):  # noqa: PTH113 - see config_above
        raise ProjectError(f"{path} does not exist.", hint=hint)
    return path


def config_above(folder: Path) -> Path | None:
    """What wrangler would take in this folder: a wrangler.json in any parent first."""
    for name in CONFIG_NAMES:
        for place in (folder, *folder.parents):
            if os.path.isfile(place / name):  # noqa: PTH113 - False too where it may not look
                return place / name
    return None


def _remembered(folder: Path, above: Path | None) -> Path | None:
    """What the nearest preflight.toml names, unless a configuration is nearer."""
    nearest = None if above is None else above.parent
    top = checkout_of(folder) or folder
    for place in (folder, *folder.parents):
        if os.path.isfile(place / SETTINGS_NAME):  # noqa: PTH113 - see config_above
            path = place / SETTINGS_NAME
            named = load_settings(text_of(path), path.name).wrangler.config
            if named:
                return _named(place / named, f"Correct [wrangler] config in {path}.")
        if place in (nearest, top):
            return None
    return None


def _in_checkout(folder: Path) -> Path | None:
    top = checkout_of(folder)
    return None if top is None or top == folder else _one(_below(top), top)


def _one(found: Sequence[Path], home: Path) -> Path | None:
    """The only one, None for none; raises Undecided where there are several."""
    if len(found) < 2:  # noqa: PLR2004 - several
        return found[0] if found else None
    names = tuple(path.relative_to(home).as_posix() for path in found)
    shown = ", ".join(names[:_MOST_SHOWN]) + (", …" if len(names) > _MOST_SHOWN else "")
    raise Undecided(
        f"{len(names)} wrangler configurations below {home} have D1 databases: {shown}.",
        hint=f"Choose one with --config FILE; or for good: [wrangler] config in {SETTINGS_NAME}.",
        option="--config",
        choices=names,
        home=home,
    )


def _below(top: Path) -> tuple[Path, ...]:
    """The configurations with D1 databases below a folder, its own first."""
    found = sorted(_walked(top), key=lambda path: (len(path.parts), path))
    configs = [path for path in found if path.name != _CF_NAME and _has_database(path)]
    redirect = deployed_config(top)
    return tuple(configs or filter(None, [redirect]))


def _walked(top: Path) -> Iterator[Path]:
    """Configurations by their names, without links, others' code and hidden folders."""
    left = [(top, 0)]
    seen = 0
    while left:
        folder, depth = left.pop(0)
        for entry in _entries(folder):
            seen += 1
            if seen > _MOST_ENTRIES:
                return
            if entry.is_dir(follow_symlinks=False):
                is_ours = entry.name not in _OTHERS and not entry.name.startswith(".")
                if is_ours and depth < _DEEPEST:
                    left.append((folder / entry.name, depth + 1))
            elif _is_config(entry.name) or entry.name == _CF_NAME:
                yield folder / entry.name


def _entries(folder: Path) -> Sequence["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return ()


def _is_config(name: str) -> bool:
    """`wrangler.toml`, and `wrangler.production.jsonc` and the like."""
    return name.startswith("wrangler.") and name.endswith((".json", ".jsonc", ".toml"))


def _has_database(path: Path) -> bool:
    """Whether any environment has a D1 database; one that cannot be read may have one."""
    try:
        found = read_config(path)
        tables = [found, *(read_config(path, name) for name in found.environments)]
    except ProjectError:
        return True
    return any(table.databases for table in tables)


def _nowhere(folder: Path) -> Path:
    top = checkout_of(folder) or folder
    if any(path.name == _CF_NAME for path in _walked(top)) or (folder / _CF_NAME).is_file():
        raise NoConfiguration(
            f"{_CF_NAME} is the configuration of the cf tool (beta), which preflight does not "
            "drive yet: it drives wrangler.",
            hint="Put a wrangler.jsonc beside it with d1_databases: binding, database_name and "
            "the same database_id. preflight reads only that.",
        )
    raise NoConfiguration(
        f"No wrangler configuration in {folder}, above or below it.",
        hint="Go to the Worker's folder, or name one with --config. "
        "To try this without a project: preflight practice",
    )


def read_config(path: Path, environment: str = "") -> WranglerConfig:
    """Read one configuration; raises ProjectError naming file, line and key."""
    data = bytes_of(path)
    found = parse_config(path, decoded(path, data), environment)
    return replace(found, sha256=sha256(data).hexdigest())


def keys_of(path: Path, environment: str = "") -> tuple[str, ...]:
    """The keys at the top of one configuration, and in its environment."""
    return config_keys(path, text_of(path), environment)


def text_of(path: Path) -> str:
    """The text of one small file; raises ProjectError."""
    return decoded(path, bytes_of(path))


def decoded(path: Path, data: bytes) -> str:
    """Bytes of a file as text; raises ProjectError naming the line."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ProjectError(
            f"{path.name}:{line}: not UTF-8 text.", hint="Save the file as UTF-8."
        ) from error


def bytes_of(path: Path, limit: int = MAX_BYTES, tree: str = "") -> bytes:
    """The bytes of one file; raises ProjectError. `tree` is its checkout, where that is known."""
    try:
        return read_file(path, limit, tree)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ProjectError(
            f"{path} cannot be read: {why}.",
            hint="Check what it is, where it leads, and its permissions.",
        ) from error

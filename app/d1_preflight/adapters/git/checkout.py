"""The root of a checkout under judgement, and the programs of PATH outside of it.

`.git` is the mark: git tracks no file of that name, so no pull request can bring one. HEAD,
`objects` and `refs` are no mark: plain files of a pull request can be called that.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

GIT_NAME = ".git"


def checkout_of(folder: Path) -> Path | None:
    """The nearest folder, at or above this one, that holds `.git`; None where there is none.

    A link inside a checkout leads into no other one: a pull request can bring links.
    """
    written = os.path.abspath(folder)  # noqa: PTH100 - links stay as they are written
    found = _nearest(written)
    if found is not None:
        return found
    real = os.path.realpath(folder)
    return _nearest(real) if real != written else None


def program_outside(name: str, environ: Mapping[str, str], checkout: Path | None) -> Path | None:
    """The first program of that name on PATH outside of the checkout."""
    for folder in folders_outside(environ, checkout):
        path = folder / name
        if path.is_file() and os.access(path, os.X_OK):
            return path
    return None


def path_outside(environ: Mapping[str, str], checkout: Path | None) -> str:
    """PATH without its entries that are empty, relative, or in the checkout."""
    return os.pathsep.join(map(str, folders_outside(environ, checkout)))


def folders_outside(environ: Mapping[str, str], checkout: Path | None) -> Iterator[Path]:
    """The folders of PATH, in order, without those of the checkout.

    `npm run` puts `node_modules/.bin` first: what a pull request depends on would run as git.
    """
    judged = None if checkout is None else _real(checkout)
    if judged is not None and _real(environ.get("HOME") or Path.home()).is_relative_to(judged):
        judged = None  # the home folder itself is under git; its programs are the person's own
    for entry in environ.get("PATH", os.defpath).split(os.pathsep):
        if os.path.isabs(entry) and not (judged and _real(entry).is_relative_to(judged)):  # noqa: PTH117
            yield Path(entry)


def _real(folder: str | Path) -> Path:
    return Path(os.path.realpath(folder))


def _nearest(folder: str) -> Path | None:
    marked = [Path(p) for p in _upwards(folder) if os.path.lexists(os.path.join(p, GIT_NAME))]  # noqa: PTH118 - it is asked for every file that is read
    for place, outer in zip(marked, (*marked[1:], None), strict=False):
        if outer is None or not _leads_through_a_link(place, outer):
            return place
    return None


def _upwards(folder: str) -> Iterator[str]:
    yield folder
    while (above := os.path.dirname(folder)) != folder:  # noqa: PTH120 - as above
        yield (folder := above)


def _leads_through_a_link(place: Path, outer: Path) -> bool:
    between = [p for p in (place, *place.parents) if p != outer and p.is_relative_to(outer)]
    return any(path.is_symlink() for path in between)

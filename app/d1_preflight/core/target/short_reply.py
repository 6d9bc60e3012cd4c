"""The short form of a JSON reply as evidence: a line a statement, repeated rows named once.

Schema and ledger are read several times in one walk and hardly change: a result that an earlier
reply holds already is the name of that reply and the number of its statement.
"""

import json
from collections.abc import Iterable, Sequence

_LONG = 400


def short_reply(lines: Sequence[str], earlier: Iterable[tuple[str, str]]) -> Sequence[str]:
    """The lines of a reply, shorter where it is a list of results; else as they are."""
    results = _results("\n".join(lines))
    if results is None:
        return lines
    known = dict[str, str]()
    for name, text in earlier:
        for number, result in enumerate(_results(text) or [], 1):
            known.setdefault(_dumped(result["results"]), f"as in {name}, statement {number}")
    told = [_dumped(_short(result, known)) for result in results]
    return ["[", *(f"{line}," for line in told[:-1]), *told[-1:], "]"]


def _short(result: dict[str, object], known: dict[str, str]) -> dict[str, object]:
    text = _dumped(result["results"])
    place = known.get(text) if len(text) > _LONG else None
    return {**result, "results": place} if place else result


def _results(text: str) -> list[dict[str, object]] | None:
    """The results of a reply of `d1 execute`; None for any other output."""
    if not text.lstrip().startswith("["):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    are_results = isinstance(found, list) and bool(found)
    fits = are_results and all(isinstance(r, dict) and "results" in r for r in found)
    return found if fits else None


def _dumped(value: object) -> str:
    """In one line of characters that a terminal may be given; the others stay escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if text.isprintable() else json.dumps(value, separators=(",", ":"))

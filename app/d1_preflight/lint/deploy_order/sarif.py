"""The verdict as a run of SARIF 2.1.0: for code scanning."""

import json
from collections.abc import Mapping
from urllib.parse import quote

from d1_preflight import __version__
from d1_preflight.code.verdict import Verdict
from d1_preflight.lint.deploy_order.places import SORTS, Place, places_of, shown
from d1_preflight.lint.sarif import LEVELS, SARIF_SCHEMA, Prints

_SORT_LEVELS = {
    "deployed-code-breaks": "error",
    "new-code-breaks": "error",
    "new-code-needs-migration": "warning",
    "query-changes": "note",
}


def order_run(verdict: Verdict, prefix: str = "") -> Mapping[str, object]:
    """One run: a result for each query, a notification for what was not seen."""
    sorts = list(SORTS)
    prints = Prints()
    return {
        "tool": {
            "driver": {
                "name": "preflight code",
                "semanticVersion": __version__,
                "rules": [_sort(sort, words) for sort, words in SORTS.items()],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [
                    {"level": "note", "message": {"text": f"{verdict.order}."}},
                    *(
                        {"level": "warning", "message": {"text": f"Unknown: {words}."}}
                        for words in verdict.unseen
                    ),
                ],
            }
        ],
        "results": [_result(place, prefix, sorts, prints) for place in places_of(verdict)],
    }


def _sort(sort: str, words: str) -> Mapping[str, object]:
    return {
        "id": sort,
        "shortDescription": {"text": words},
        "fullDescription": {"text": f"{words}: SQLite prepares the query on one schema only."},
        "help": {"text": "preflight code says which order is safe, and how to split a change."},
        "defaultConfiguration": {"level": _SORT_LEVELS[sort]},
    }


def with_run(document: str, run: Mapping[str, object]) -> str:
    """A SARIF document with one run more; a new one where there is none."""
    whole = {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": []}
    if document:
        whole = json.loads(document)
    runs = [*whole["runs"], run]
    return json.dumps({**whole, "runs": runs}, indent=2) + "\n"


def _result(place: Place, prefix: str, sorts: list[str], prints: Prints) -> Mapping[str, object]:
    query = place.query
    mark = prints.marked(f"{place.sort}\0{query.path}\0{query.digest}\0{query.words}")
    uri = quote(shown(prefix, query.path), errors="surrogateescape")
    return {
        "ruleId": place.sort,
        "ruleIndex": sorts.index(place.sort),
        "level": LEVELS[place.severity],
        "message": {"text": f"{place.title}: {query.masked_words}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": query.line},
                }
            }
        ],
        "partialFingerprints": {"preflight/v1": mark},
    }

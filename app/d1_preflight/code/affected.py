"""Which tables and views a query must name for its answer to differ between two schemas.

What SQLite prepares of a statement depends on the objects that it names, on the views and triggers
below these, on the parents of a table (their keys), and on the children that an action reaches. A
name too many only costs time, so names are looked for anywhere in a text.
"""

import re
from collections.abc import Collection, Iterator

from d1_preflight.core.schema.schema import Schema, SchemaObject

_QUOTES = re.compile(r"""["'`\[\]]""")
_EVERYTHING = re.compile("")


def affected(before: Schema, after: Schema) -> re.Pattern[str]:
    """A pattern that finds one of these names in a text in lower case."""
    objects = tuple(dict.fromkeys((*before.objects, *after.objects)))
    changed = {*before.objects} ^ {*after.objects}
    if any(_QUOTES.search(name) for found in objects for name in (found.name, found.table)):
        return _EVERYTHING  # the text of such a name is not the name
    names = set(_names(changed))
    names |= set(_names(o for o in objects if o.kind == "table" and _mentions(o, names)))
    while found := set(_around(objects, names)) - names:
        names |= found
    return re.compile("|".join(map(re.escape, sorted(names))) or r"(?!)")


def _around(objects: Collection[SchemaObject], names: Collection[str]) -> Iterator[str]:
    """What rests on one of the names by a view, a trigger, or an action of its children."""
    for found in objects:
        if found.kind in ("view", "trigger") and _mentions(found, names):
            yield from _names([found])
    tables = {found.name.lower() for found in objects if found.kind == "table"}
    for found in objects:
        if found.kind == "table" and found.name.lower() in names:
            text = found.sql.lower()
            yield from (table for table in tables if table in text)


def _mentions(found: SchemaObject, names: Collection[str]) -> bool:
    text = found.sql.lower()
    return any(name in text for name in names)


def _names(objects: Collection[SchemaObject] | Iterator[SchemaObject]) -> Iterator[str]:
    for found in objects:
        yield found.name.lower()
        yield found.table.lower()

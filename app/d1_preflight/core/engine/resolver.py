"""Has sqlglot read the queries that our own reader does not know, and SQLite check the answer.

sqlglot is imported when the first such query comes, since that costs more than a small lint. The
queries are bounded in number, length and depth; beyond that they stay not understood.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import apsw

from d1_preflight.core.engine.execution import prepare
from d1_preflight.core.engine.trace import Access
from d1_preflight.core.sql.statement import CopySource, ParsedStatement
from d1_preflight.lazy_dataclass import replace

if TYPE_CHECKING:
    from d1_preflight.core.sql.relation import Relation

_LENGTH = 20_000  # of one query, in characters
_TOTAL = 200_000  # of all queries of a script
_COUNT = 200
_DEPTH = 40  # of parentheses; SQLite bounds expressions in depth itself


class Resolver:
    """Completes statements; one for each script, since it counts what it has read."""

    def __init__(
        self, connection: apsw.Connection, columns_of: Callable[[str], tuple[str, ...]]
    ) -> None:
        self._connection = connection
        self._columns_of = columns_of
        self._count = 0
        self._read = 0

    def resolve(self, statement: ParsedStatement, heard: Access) -> ParsedStatement:
        """The statement with what its query says, where all of it is sure."""
        if not statement.unread or not self._may_read(statement.unread):
            return statement
        relation = self._relation(statement.unread)
        if relation is None or not self._is_confirmed(statement.unread, relation, heard):
            return statement
        reads = tuple(of for _, of in relation.columns)
        if statement.verb == "UPDATE":
            joined = statement.target.lower() not in relation.kept
            return replace(statement, reads=reads, joined=joined)
        if not relation.kept:
            return statement
        tables = tuple(sorted(relation.kept))
        source = CopySource(tables[0], tables, adds=relation.adds)
        return replace(statement, reads=reads, copy=source)

    def _may_read(self, text: str) -> bool:
        self._count += 1
        self._read += len(text)
        fits = len(text) <= _LENGTH and self._read <= _TOTAL and self._count <= _COUNT
        return fits and _depth(text) <= _DEPTH

    def _relation(self, text: str) -> "Relation | None":
        from d1_preflight.core.sql.query import NotUnderstood, read_query

        try:
            return read_query(text, self._columns_of)
        except NotUnderstood:
            return None

    def _is_confirmed(self, text: str, relation: "Relation", heard: Access) -> bool:
        """Whether SQLite sees the same columns in the result, from the same tables."""
        seen = {(table.lower(), column.lower()) for table, column in heard.reads}
        faithful = {key for _, of in relation.columns for key, kept in of.items() if kept}
        if not relation.kept <= {table for table, _ in seen} or not faithful <= seen:
            return False
        origins = self._origins(text)
        if len(origins) != len(relation.columns):
            return False
        pairs = zip(origins, relation.columns, strict=True)
        # Of a compound SQLite names the column of one SELECT only, which may be none.
        silent = {("", "")} if relation.adds else set[tuple[str, str]]()
        return all(origin in {*of, *silent} for origin, (_, of) in pairs if any(of.values()))

    def _origins(self, text: str) -> tuple[tuple[str, str], ...]:
        """From which column of which table SQLite takes each column of a query's result."""
        found: list[tuple[str, str]] = []

        def look(cursor: apsw.Cursor) -> None:
            found.extend(
                ((table or "").lower(), (column or "").lower())
                for _, _, _, table, column in cursor.description_full
            )

        with suppress(apsw.Error):
            prepare(self._connection, text, look)
        return tuple(found)


def _depth(text: str) -> int:
    """How deep parentheses lie in each other, those in quotes counted too."""
    depth = deepest = 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        deepest = max(deepest, depth)
    return deepest

"""Repairs a virtual table: D1 refuses writes to its shadows, so its module fills it again."""

from collections.abc import Collection, Iterator
from dataclasses import field

import apsw

from d1_preflight.core.recovery.restore_sql import too_long_words
from d1_preflight.core.rows.codec import Packer, differs, wire
from d1_preflight.core.rows.index_gap import index_state
from d1_preflight.core.schema.full_text import FullText, full_text
from d1_preflight.core.schema.schema import Schema
from d1_preflight.core.schema.spelling import module_spelling
from d1_preflight.core.schema.table import Table
from d1_preflight.core.sql.tokenizer import quote_name, tokens
from d1_preflight.lazy_dataclass import dataclass


@dataclass(slots=True)
class IndexRepair:
    """One virtual table in its two states; its statements run once all rows are back."""

    connection: apsw.Connection
    schema: Schema
    old: Table
    new: Table | None
    limit: int
    rows: int = 0
    problems: list[str] = field(default_factory=list)

    def definition(self) -> Iterator[str]:
        """CREATE VIRTUAL TABLE of an index that went."""
        if not (full_text(self.old.sql) or self.old.has_own_rows or self.old.is_derived):
            self.problems.append(
                "preflight does not restore virtual tables; only Time Travel has its rows"
            )
        elif self.new is None:
            yield self.old.sql.rstrip().rstrip(";")
        elif module_spelling(self.new.sql) != module_spelling(self.old.sql):
            self.problems.append(
                "it is a different index now; only Time Travel has the earlier one"
            )

    def fill(self, repaired: Collection[str]) -> Iterator[str]:
        """What brings its words back: from its content, or from its own text in the backup.

        `repaired` names the tables that rows were written into, in lower case.
        """
        declared = full_text(self.old.sql)
        if self.problems:
            return
        if self.old.has_own_rows:
            yield from self._texts()
        elif declared is None:
            return  # it only shows the words of an index
        elif declared.content:
            if self.new is None or self._lacks_entries() or self._holds(declared, repaired):
                index = quote_name(self.old.name)
                yield f"INSERT INTO {index}({index}) VALUES ('rebuild')"
        elif self._lacks_entries() and not (self.new and self._is_fed):
            self.problems.append("it stores no text: fill it again from the source of its text")

    def _holds(self, declared: FullText, repaired: Collection[str]) -> bool:
        """Whether it holds the text of a repaired table; of a view, that of any."""
        content = (declared.content or "").lower()
        views = {o.name.lower() for o in self.schema.objects if o.kind == "view"}
        return content in repaired or (content in views and bool(repaired))

    @property
    def _is_fed(self) -> bool:
        """Whether a trigger writes to it, and so fills it as rows come back."""
        name = self.old.name.lower()
        triggers = (o.sql for o in self.schema.objects if o.kind == "trigger")
        return any(name == t.name.lower() for sql in triggers for t in tokens(sql, limit=len(sql)))

    def _lacks_entries(self) -> bool:
        before = index_state(self.connection, "before", self.old)
        after = index_state(self.connection, "after", self.new) if self.new else None
        return before is not None and (after is None or after.entries < before.entries)

    def _texts(self) -> Iterator[str]:
        """REPLACE of the rows that went or changed: a trigger may have put them there already."""
        index = quote_name(self.old.name)
        names = [quote_name(name) for name in self.old.data_columns or self.old.column_names]
        cells = ", ".join(wire(f"b.{name}") for name in names)
        numbered = full_text(self.old.sql) is not None  # an R*Tree's first column is its number
        number = "'i'||b.rowid, " if numbered else ""
        query = f"SELECT {number}{cells} FROM before.{index} AS b"
        if self.new is not None:
            changed = " OR ".join(differs(f"b.{name}", f"a.{name}") for name in names)
            query += (
                f" LEFT JOIN after.{quote_name(self.new.name)} AS a ON a.rowid = b.rowid"
                f" WHERE a.rowid IS NULL OR {changed}"
            )
        written = ", ".join(["rowid", *names] if numbered else names)
        head = f"REPLACE INTO {index} ({written}) VALUES\n"
        packer = Packer(self.limit - len(head) - 4)
        for batch in packer.batches(self.connection, query):
            self.rows += len(batch)
            yield head + ",\n".join(batch)
        if packer.too_long:
            self.problems.append(too_long_words(packer.too_long))

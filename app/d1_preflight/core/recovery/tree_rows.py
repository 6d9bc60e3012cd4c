"""Reads the rows of an R*Tree out of the copies of the tables in which it keeps its nodes.

D1 refuses writes to those tables, so a restore writes the rows through the R*Tree itself.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import apsw

from d1_preflight.core.rows.codec import copy_cells
from d1_preflight.core.rows.table_copy import RowCopy
from d1_preflight.core.schema.table import Table
from d1_preflight.core.sql.tokenizer import quote_name


@contextmanager
def opened_tree(
    tree: Table,
    nodes: Sequence[RowCopy],
    opened: Callable[[RowCopy], AbstractContextManager[apsw.Connection]],
    scratch: Callable[[], AbstractContextManager[apsw.Connection]],
) -> Iterator[apsw.Connection]:
    """A scratch database in which `rows` holds the rows of the tree; `scratch` opens an empty one.

    A tree can be larger than memory, so the caller chooses where its rows lie meanwhile.
    """
    with scratch() as connection:
        connection.execute(tree.sql)
        for copy in nodes:
            with opened(copy) as held:
                _fill(connection, copy, held)
        connection.execute(f"CREATE TEMP VIEW rows AS SELECT * FROM main.{quote_name(tree.name)}")
        yield connection


def _fill(connection: apsw.Connection, copy: RowCopy, held: apsw.Connection) -> None:
    names = [quote_name(name) for name in copy.columns]
    table = quote_name(copy.table)
    connection.execute(f"DELETE FROM {table}")
    columns = [copy.rowid, *names] if copy.rowid else names
    copy_cells(held, "rows", connection, table, columns)

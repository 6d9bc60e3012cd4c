"""Whatever is claimed of a copy's rows and values is so when the copy runs over real rows.

The copies are of all shapes (common table expressions, subqueries, joins, compounds), most of which
our own reader does not know and sqlglot reads. Each runs in D1's engine over rows that were made
by chance: of a table that counts as kept every row is there, with every value that counts as kept.
"""

from collections import Counter
from dataclasses import dataclass

import apsw
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from d1_preflight.core import d1
from d1_preflight.core.effects.row_lineage import TableLineage, row_lineage
from d1_preflight.core.engine.sandbox import Sandbox
from d1_preflight.core.engine.trace import ScriptTrace
from d1_preflight.core.schema.schema import Schema
from d1_preflight.core.sql.tokenizer import statements
from law_size import examples
from sampling import sampled

COLUMNS = ("id", "tag", "a", "n")
PRIOR = "".join(f"CREATE TABLE {name}(id INTEGER PRIMARY KEY, tag, a, n);" for name in ("p", "q"))
REBUILD = (
    "CREATE TABLE t(id, tag, a, n); INSERT INTO t(id, tag, a, n) {query}; DROP TABLE {table};"
    " ALTER TABLE t RENAME TO {table};"
)
Rows = dict[str, list[tuple[object, ...]]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Rows before and after, by table; None after where D1 refuses."""

    before: Rows
    after: Rows | None
    columns: dict[str, list[str]]


def perform(rows: Rows, sql: str) -> Outcome:
    """Run a script over rows."""
    connection = apsw.Connection(":memory:")
    connection.execute(PRIOR)
    for table, values in rows.items():
        connection.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", values)
    for limit, value in d1.LIMITS:
        connection.limit(limit, value)
    connection.set_progress_handler(lambda: True, 1_000_000)  # a recursion without an end
    try:
        for statement in statements(sql):
            connection.execute(statement.text).fetchall()
    except apsw.Error:
        return Outcome(rows, None, {})
    names = [str(row[0]) for row in connection.execute("SELECT name FROM sqlite_schema")]
    after = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}
    columns = {
        name: [str(row[1]) for row in connection.execute(f"PRAGMA table_info({name})")]
        for name in names
    }
    return Outcome(rows, after, columns)


def predict(sql: str) -> tuple[ScriptTrace, TableLineage, TableLineage]:
    """What is said of the tables p and q, without a row."""
    connection = apsw.Connection(":memory:")
    connection.execute(PRIOR)
    sandbox = Sandbox(Schema.from_connection(connection))
    run = sandbox.run(sql)
    sandbox.close()
    of_p, of_q = row_lineage(run)
    return run, of_p, of_q


def faithful_columns(lineage: TableLineage) -> list[str]:
    """The columns whose values are said to be in the table as they were."""
    lost = {*lineage.derived, *lineage.dropped, *lineage.moved}
    return [column for column in COLUMNS if column not in lost]


def check(lineage: TableLineage, outcome: Outcome) -> None:
    """Every row of a kept table is there, in all its columns that are said to be as they were."""
    if outcome.after is None or not lineage.kept or lineage.name is None:
        return
    names = faithful_columns(lineage)
    before = [COLUMNS.index(name) for name in names]
    after = [outcome.columns[lineage.name].index(name) for name in names]
    wanted = Counter(tuple(row[n] for n in before) for row in outcome.before[lineage.table])
    there = Counter(tuple(row[n] for n in after) for row in outcome.after[lineage.name])
    assert wanted <= there, (lineage, wanted - there)


values = st.sampled_from((None, 1, 2, "x", "y"))


@st.composite
def worlds(draw: st.DrawFn) -> Rows:
    """Two tables with few rows, keys that overlap, and NULLs."""
    return {
        table: [
            (key, draw(values), draw(values), draw(values))
            for key in sorted(draw(st.sets(st.integers(1, 4), max_size=3)))
        ]
        for table in ("p", "q")
    }


EXPRESSIONS = (
    "{x}.{c}", "{x}.{c}", "{x}.{c}", "{c}", "{c}", "{y}.{c}", "{x}.{d}", "{x}.{c} AS z",
    "({x}.{c})", "{x}.{c} ISNULL", "{c} NOTNULL", '"{c}"', "{x}.\"{c}\" AS '{d}'", "{x}.{c} || ''",
    "NULL", "7",
    "COALESCE({x}.{c}, 1)", "CASE WHEN {x}.{c} THEN {x}.{c} END", "'{c}'", "CAST({x}.{c} AS TEXT)",
    "max({x}.{c})", "max({x}.{c}, {y}.{d})", "count(*) OVER ()", '"max"({c})', "rowid",
    "count(*) FILTER (WHERE {x}.{c} > 1)", "sum({x}.id) FILTER (WHERE 1) OVER ()",
    "(SELECT max({x}.{c}) FROM q)", "(SELECT max(w.{c}) FROM q w)", "(SELECT count(*) FROM q)",
    "(SELECT max({c}) FROM q w)", "(SELECT w.{c} FROM q AS w WHERE w.id = {x}.id)", "main.{x}.{c}",
    "(SELECT {x}.{c})", "EXISTS (SELECT 1 FROM q WHERE q.id = {x}.id)", "{c} IS DISTINCT FROM {d}",
)  # fmt: skip
TAILS = (
    *("",) * 12, " WHERE 1", " WHERE TRUE AND (1 = 1)", " WHERE {x}.id > 1", " WHERE {x}.a > 1",
    " LIMIT 2", " LIMIT -1", " GROUP BY {x}.n", " ORDER BY {x}.n", " GROUP BY {x}.id HAVING 1",
    " ORDER BY 1 LIMIT 1 OFFSET 1", " WHERE 0",
)  # fmt: skip
JOINS = (
    "{a} LEFT JOIN {b} ON {x}.id = {y}.id", "{a} LEFT JOIN {b} ON 0", "{a} JOIN {b} USING (id)",
    "{a} LEFT JOIN {b} USING (id)", "{a} RIGHT JOIN {b} ON {x}.id = {y}.id", "{a}, {b}",
    "{a} FULL JOIN {b} ON {x}.n = {y}.n", "{a} CROSS JOIN {b}", "{a} JOIN {b} ON 1",
    "{a} NATURAL LEFT JOIN {b}", "{a}, (SELECT count(*) AS k FROM q) AS {y}", "({a} JOIN {b} ON 1)",
    "{a} CROSS JOIN (SELECT max(n) AS n FROM q) AS {y}", "(SELECT 1 AS k) AS {y} JOIN {a}",
    "{a} LEFT JOIN ({b} JOIN q AS third ON third.id = {y}.id) ON {x}.id = {y}.id", "({a})",
    "{a} JOIN (VALUES (1), (2)) AS {y}", "{a} LEFT JOIN json_each('[1,2]') AS {y}",
    "{a} CROSS JOIN (SELECT max(n) AS n FROM q HAVING max(n) > 1) AS {y}",
)  # fmt: skip

COMPOUNDS = ("UNION ALL", "UNION ALL", "UNION ALL", "UNION", "EXCEPT", "INTERSECT")
CONSTANT = (
    "SELECT 1, 'x', 'x', 1",
    "SELECT 1, 2, 1, 2 WHERE 0",
    "VALUES (1, 2, 1, 2), (2, 1, 2, 1)",
)


@st.composite
def operands(draw: st.DrawFn, name: str, depth: int, known: tuple[str, ...]) -> str:
    """A table, a common table expression or a subquery, under a name."""
    if depth and draw(st.integers(0, 2)) == 0:
        return f"({draw(queries(depth - 1, known))}) AS {name}"
    table = draw(st.sampled_from(("p", "p", "p", "q", "main.p", '"P"', *known * 3)))
    return f"{table} AS {name}"


@st.composite
def selects(draw: st.DrawFn, depth: int, known: tuple[str, ...]) -> str:
    """A SELECT of four columns."""
    x, y = draw(st.sampled_from((("x", "y"), ("p", "q"), ("q", "p"))))
    source = draw(operands(x, depth, known))
    if draw(st.booleans()):
        other = draw(operands(y, depth, known))
        source = draw(st.sampled_from(JOINS)).format(a=source, b=other, x=x, y=y)
    items = [
        draw(st.sampled_from(EXPRESSIONS)).format(x=x, y=y, c=column, d=COLUMNS[n - 2])
        if draw(st.integers(0, 3)) == 0
        else f"{x}.{column}"
        for n, column in enumerate(COLUMNS)
    ]
    listed = ", ".join(
        f"{item} AS {c}" if item[-2:] != " z" else item
        for item, c in zip(items, COLUMNS, strict=True)
    )
    listed = draw(
        st.sampled_from(
            (listed,) * 6 + ("*", f"{x}.*", f"{y}.*", f"DISTINCT {listed}", f"ALL {listed}")
        )
    )
    return f"SELECT {listed} FROM {source}{draw(st.sampled_from(TAILS)).format(x=x)}"


@st.composite
def queries(draw: st.DrawFn, depth: int, known: tuple[str, ...] = ()) -> str:
    """A query of four columns: a SELECT, a compound, or one with common table expressions."""
    form = draw(st.integers(0, 5)) if depth else 0
    if form == 1:
        word = draw(st.sampled_from(COMPOUNDS))
        arms = st.sampled_from(CONSTANT) | selects(depth - 1, known) | selects(depth - 1, known)
        first, second = draw(arms), draw(arms)
        return f"{first} {word} {second}"
    if form in (2, 3):
        name = draw(st.sampled_from(("s", "r", "q", "p")))
        columns = draw(st.sampled_from(("", "", "(id, tag, a, n)", "(n, a, tag, id)")))
        hint = draw(st.sampled_from(("", "", "MATERIALIZED ", "NOT MATERIALIZED ")))
        body = draw(queries(depth - 1, known))
        rest = draw(selects(depth - 1, (*known, name)))
        return f"WITH {name}{columns} AS {hint}({body}) {rest}"
    return draw(selects(depth, known))


@pytest.mark.matrix  # the suite has each form of a copy: the cases below
@settings(deadline=None, max_examples=examples(600))
@given(worlds(), queries(2), st.sampled_from(("p", "q")))
def test_a_table_that_counts_as_kept_by_a_copy_has_every_row(
    rows: Rows, query: str, table: str
) -> None:
    sql = REBUILD.format(query=query, table=table)
    outcome = perform(rows, sql)
    run, *found = predict(sql)
    statement = next(trace.parsed for trace in run.statements if trace.verb == "INSERT")
    event(f"refused: {outcome.after is None}, read by sqlglot: {bool(statement.reads)}")
    for lineage in found:
        event(f"{lineage.table} counts as kept: {lineage.kept and lineage.name is not None}")
        check(lineage, outcome)


WHOLE = {
    "a common table expression": "WITH s AS (SELECT * FROM p) SELECT id, tag, a, n FROM s",
    "one whose columns have other names": "WITH s(k, l, m, o) AS (SELECT id, tag, a, n FROM p)"
    " SELECT k, l, m, o FROM s",
    "a chain of them, named before they are written": "WITH s AS (SELECT * FROM r),"
    " r AS (SELECT id, tag, a, n FROM p) SELECT * FROM s",
    "a subquery": "SELECT id, tag, a, n FROM (SELECT * FROM p)",
    "a table in parentheses": "SELECT id, tag, a, n FROM (p)",
    "a subquery under a name": "SELECT s.id, s.tag, s.a, s.n FROM (SELECT * FROM p AS x) AS s",
    "UNION ALL with rows that are new": "SELECT * FROM p UNION ALL SELECT 91, 'new', NULL, 1",
    "UNION ALL of two tables": "SELECT * FROM p UNION ALL SELECT id + 100, tag, a, n FROM q",
    "a UNION ALL in a subquery": "SELECT * FROM (SELECT * FROM q UNION ALL SELECT * FROM p)",
    "CROSS JOIN with one row": "SELECT p.id, tag, a, p.n FROM p"
    " CROSS JOIN (SELECT max(n) AS most FROM q)",
    "a comma and one row": "SELECT p.* FROM p, (SELECT count(*) AS many FROM q) AS c",
    "a RIGHT JOIN": "SELECT p.id, p.tag, p.a, p.n FROM q RIGHT JOIN p ON q.id = p.id",
    "a NATURAL LEFT JOIN": "SELECT p.id, p.tag, p.a, p.n FROM p NATURAL LEFT JOIN q",
    "a LEFT JOIN with a common table expression": "WITH s AS (SELECT id, max(n) AS k FROM q"
    " GROUP BY id) SELECT p.id, p.tag, p.a, p.n FROM p LEFT JOIN s ON s.id = p.id",
    "a constant, then UNION ALL": "SELECT 91, 'new', NULL, 1 UNION ALL SELECT * FROM p",
    "a LEFT JOIN with a recursive one": "WITH RECURSIVE s(k) AS (SELECT 1 UNION ALL SELECT k + 1"
    " FROM s WHERE k < 2) SELECT p.* FROM p LEFT JOIN s ON s.k = p.id",
    "a LEFT JOIN with a function": "SELECT p.* FROM (SELECT * FROM p) AS p"
    " LEFT JOIN json_each('[1]') AS j ON j.value = p.id",
    "a WHERE within a WITH that holds for all": "WITH s AS (SELECT * FROM p WHERE TRUE)"
    " SELECT * FROM s WHERE (1 = 1)",
    "an aggregate in a subquery of its own": "SELECT id, tag, a, n FROM p"
    " ORDER BY (SELECT max(w.n + id) FROM q AS w)",
}
LOSSY = {
    "a WHERE in a common table expression": "WITH s AS (SELECT * FROM p WHERE id > 1)"
    " SELECT * FROM s",
    "a common table expression of a table's name": "WITH p AS (SELECT * FROM q) SELECT * FROM p",
    "a JOIN that leaves out": "SELECT p.* FROM p JOIN q USING (id)",
    "a LEFT JOIN from the other side": "SELECT p.* FROM q LEFT JOIN p ON p.id = q.id",
    "a CROSS JOIN with a table that may be empty": "SELECT p.* FROM p CROSS JOIN q",
    "one row that HAVING takes away": "SELECT p.* FROM p, (SELECT max(n) m FROM q HAVING m > 9)",
    "a WHERE after a LEFT JOIN": "SELECT p.* FROM p LEFT JOIN q USING (id) WHERE q.n > 1",
    "UNION": "SELECT 1, tag, a, n FROM p UNION SELECT 1, tag, a, n FROM p",
    "UNION ALL of two halves": "SELECT * FROM p WHERE n > 1 UNION ALL SELECT * FROM p WHERE n <= 1",
    "UNION ALL, then EXCEPT": "SELECT * FROM p UNION ALL SELECT * FROM q EXCEPT SELECT * FROM p",
    "a constant, then EXCEPT": "SELECT 1, 'one', 'x', 1 EXCEPT SELECT * FROM p",
    "a constant, then UNION": "SELECT 1, 'x', 'x', 1 UNION SELECT 1, 'x', 'x', 1 FROM p",
    "LIMIT after UNION ALL": "SELECT * FROM p UNION ALL SELECT * FROM q LIMIT 1",
    "DISTINCT in a subquery": "SELECT 1, tag, a, n FROM (SELECT DISTINCT tag, a, n FROM p)",
    "an aggregate in a subquery of the outer": "SELECT id, tag, (SELECT max(p.a) FROM q), n FROM p",
    "a count of some": "SELECT count(*) FILTER (WHERE n > 1), 1, 1, 1 FROM p",
    "an aggregate's name in quotes": 'SELECT "max"(id), tag, a, n FROM p',
    "an aggregate that sqlglot calls otherwise": "WITH s AS (SELECT * FROM p)"
    " SELECT json_group_array(id), tag, a, n FROM s",
    "a recursive common table expression": "WITH RECURSIVE s AS (SELECT * FROM p WHERE id = 1"
    " UNION ALL SELECT p.* FROM p JOIN s ON p.id = s.id + 9) SELECT * FROM s",
}
FULL: Rows = {
    "p": [(1, "one", "x", 1), (2, "one", "x", 1), (3, None, None, None)],
    "q": [(1, "three", "x", 1), (7, "four", None, 2)],
}
BARE: Rows = {"p": FULL["p"], "q": []}


@pytest.mark.parametrize("form", sampled(WHOLE, 2))
@pytest.mark.parametrize("rows", [FULL, BARE], ids=["both", "p alone"])
def test_a_copy_of_every_row_is_known_for_one(form: str, rows: Rows) -> None:
    sql = REBUILD.format(query=WHOLE[form], table="p")
    outcome = perform(rows, sql)
    assert outcome.after is not None
    _, lineage, _ = predict(sql)
    assert lineage.kept
    assert faithful_columns(lineage) == [*COLUMNS]
    check(lineage, outcome)


@pytest.mark.parametrize("form", LOSSY)
def test_a_copy_that_can_leave_rows_out_is_not_believed(form: str) -> None:
    sql = REBUILD.format(query=LOSSY[form], table="p")
    assert (
        any(
            outcome.after is not None and len(set(outcome.after["p"]) & set(FULL["p"])) < 3
            for outcome in (perform(FULL, sql), perform(BARE, sql))
        )
        or "halves" in form
    )
    _, lineage, _ = predict(sql)
    assert not lineage.kept


OTHER_VALUES = {
    "of a joined table": "SELECT p.id, p.tag, q.a, p.n FROM p LEFT JOIN q ON q.id = p.id + 9",
    "of its own rows, joined": "SELECT p.id, p.tag, o.a, p.n FROM p LEFT JOIN p AS o ON o.n > p.n",
    "in another order, by *": "WITH s AS (SELECT id, tag, n, a FROM p) SELECT * FROM s",
    "of a comparison": "SELECT id, tag, a ISNULL, n FROM p",
    "of another table's *": "SELECT q.* FROM p LEFT JOIN q ON q.id = p.id",
    "of a common table expression": "WITH s AS (SELECT id, tag, n + 1 AS a, n FROM p)"
    " SELECT id, tag, a, n FROM s",
}


@pytest.mark.parametrize("form", OTHER_VALUES)
def test_a_column_that_gets_other_values_does_not_count_as_kept(form: str) -> None:
    sql = REBUILD.format(query=OTHER_VALUES[form], table="p")
    outcome = perform(FULL, sql)
    assert outcome.after is not None
    assert sorted(map(str, outcome.after["p"])) != sorted(map(str, FULL["p"]))
    _, lineage, _ = predict(sql)
    assert lineage.kept
    assert "a" not in faithful_columns(lineage)


SETS = (
    "z = {x}.{c}", "z = {c}", "z = q.{c}", "z = s.k", "z = {x}.{c} || ''", "(z, n) = ({c}, 1)",
    "z = {c} ISNULL", "z = (SELECT q.{c} FROM q WHERE q.id = {x}.id)", "z = {c}, tag = q.{c}",
)  # fmt: skip
SOURCES = (
    "", "", " FROM q", " FROM q WHERE q.id = {x}.id", " FROM (SELECT max(n) AS k FROM q) AS s",
    " FROM (SELECT 1 AS k) AS s, q", " FROM q CROSS JOIN (SELECT 1 AS k) AS s WHERE {x}.id > 1",
    " FROM (SELECT 1 AS k) AS s", " FROM (SELECT 1 AS k) AS s WHERE s.k = 1",
)  # fmt: skip


@pytest.mark.matrix  # the suite has the cases of an update: below
@settings(deadline=None, max_examples=examples(400))
@given(
    worlds(),
    st.sampled_from(("p", "p AS w")),
    st.sampled_from(SETS),
    st.sampled_from(SOURCES),
    st.sampled_from(COLUMNS[1:]),
)
def test_a_column_that_an_update_moves_has_its_values(
    rows: Rows, target: str, sets: str, source: str, column: str
) -> None:
    x = target.rpartition(" ")[2]
    update = f"UPDATE {target} SET {sets}{source};".format(x=x, c=column)
    sql = (
        f"ALTER TABLE p ADD COLUMN z; {update} ALTER TABLE p DROP COLUMN {column};"
        f" ALTER TABLE p RENAME COLUMN z TO {column};"
    )
    outcome = perform(rows, sql)
    event(f"refused: {outcome.after is None}")
    _, lineage, _ = predict(sql)
    event(f"moved: {column in faithful_columns(lineage)}")
    check(lineage, outcome)


def test_an_update_beside_one_row_reaches_every_row() -> None:
    sql = (
        "ALTER TABLE p ADD COLUMN z; UPDATE p SET z = p.a FROM (SELECT max(n) AS k FROM q) AS s;"
        " ALTER TABLE p DROP COLUMN a; ALTER TABLE p RENAME COLUMN z TO a;"
    )
    _, lineage, _ = predict(sql)
    assert "a" in faithful_columns(lineage)
    check(lineage, perform(BARE, sql))


def test_halves_of_a_row_in_two_queries_of_a_union_are_no_row() -> None:
    both = "SELECT id, 0 AS tag, a, n FROM p UNION ALL SELECT id, tag, a IS NULL, n FROM p"
    sql = f"CREATE TABLE c AS {both}; DROP TABLE p; ALTER TABLE c RENAME TO p;"
    _, lineage, _ = predict(sql)
    assert not {"tag", "a"} & set(faithful_columns(lineage))
    check(lineage, perform(BARE, sql))


def test_a_whole_row_in_one_query_of_a_union_is_a_row() -> None:
    both = "SELECT id, tag, a, n FROM p UNION ALL SELECT id, tag, 0, n FROM p"
    sql = f"CREATE TABLE c AS {both}; DROP TABLE p; ALTER TABLE c RENAME TO p;"
    _, lineage, _ = predict(sql)
    assert set(COLUMNS) == set(faithful_columns(lineage))
    check(lineage, perform(BARE, sql))

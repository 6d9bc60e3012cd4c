"""The second parser comes late, reads so much at most, and is believed where SQLite agrees."""

import subprocess
import sys

import apsw
import pytest

from d1_preflight.core.engine.resolver import Resolver
from d1_preflight.core.engine.sandbox import Sandbox
from d1_preflight.core.engine.trace import Access, ScriptTrace
from d1_preflight.core.schema.schema import Schema
from d1_preflight.core.sql.query import NotUnderstood, read_query
from d1_preflight.core.sql.statement import read_statement
from sampling import sampled

PRIOR = "CREATE TABLE p(id INTEGER PRIMARY KEY, a); CREATE TABLE q(id INTEGER PRIMARY KEY, a);"
INTO = "CREATE TABLE t(id, a); INSERT INTO t(id, a) "
HEARD = Access(reads=frozenset({("p", "id"), ("p", "a")}))
CTE = "INSERT INTO q WITH s AS (SELECT * FROM p) SELECT * FROM s"

_FRESH = """
import sys
from d1_preflight.core.analysis import analyse
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.engine.sandbox import Sandbox
sandbox = Sandbox()
sandbox.run(sys.argv[1], keep=True)
for sql in sys.argv[2:]:
    analyse(Migration.from_text("0002_a_b.sql", sql), sandbox.schema)
    print("sqlglot" in sys.modules)
"""
KNOWN = {
    "values": INTO + "VALUES (1, 2);",
    "a plain copy": INTO + "SELECT id, a FROM p;",
    "a copy with expressions": INTO + "SELECT p.id, (SELECT count(*) FROM q) FROM p ORDER BY a;",
    "a LEFT JOIN": INTO + "SELECT p.id, q.a FROM p LEFT JOIN q ON q.id = p.id;",
    "a filter": INTO + "SELECT p.id, q.a FROM p JOIN q USING (id) WHERE q.a > 1;",
    "a DISTINCT": INTO + "SELECT DISTINCT id, a FROM p;",
    "an UPDATE": "UPDATE p SET a = (SELECT q.a FROM q WHERE q.id = p.id) WHERE a IS NULL;",
    "a WITH that filters": "WITH s AS (SELECT id FROM q) DELETE FROM p WHERE id IN s;",
    "a trigger": "CREATE TRIGGER x AFTER INSERT ON p BEGIN DELETE FROM q WHERE id = new.id; END;",
    "what D1 refuses": INTO + "WITH s AS (SELECT * FROM nowhere) SELECT * FROM s;",
}


def connection() -> apsw.Connection:
    made = apsw.Connection(":memory:")
    made.execute(PRIOR)
    return made


def resolver(over: apsw.Connection) -> Resolver:
    return Resolver(over, lambda name: ("id", "a") if name in {"p", "q"} else ())


def run(sql: str) -> ScriptTrace:
    sandbox = Sandbox(Schema.from_connection(connection()))
    try:
        return sandbox.run(sql)
    finally:
        sandbox.close()


def is_read(sql: str) -> bool:
    return any(trace.parsed.reads for trace in run(sql).statements)


@pytest.mark.matrix  # the suite has the start: commands/test_start
def test_sqlglot_is_imported_late_for_what_our_own_reader_does_not_know() -> None:
    """One fresh program reads them all, in order: until the last none needs the second parser."""
    unknown = INTO + "WITH s AS (SELECT * FROM p) SELECT * FROM s;"

    done = subprocess.run(
        [sys.executable, "-c", _FRESH, PRIOR, *KNOWN.values(), unknown],
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    imported = dict(zip((*KNOWN, "unknown"), done.stdout.split(), strict=True))
    assert imported == dict.fromkeys(KNOWN, "False") | {"unknown": "True"}


def test_an_answer_that_sqlite_agrees_with_is_believed() -> None:
    statement = resolver(connection()).resolve(read_statement(CTE), HEARD)
    assert statement.copy is not None
    assert statement.copy.whole_of == ("p",)


@pytest.mark.parametrize(
    "heard",
    [Access(), Access(reads=frozenset({("p", "id")})), Access(reads=frozenset({("q", "a")}))],
)
def test_an_answer_that_the_authorizer_did_not_report_is_not_believed(heard: Access) -> None:
    statement = read_statement(CTE)
    assert resolver(connection()).resolve(statement, heard) is statement


def test_columns_that_sqlite_finds_elsewhere_are_not_believed() -> None:
    over = apsw.Connection(":memory:")
    over.execute("CREATE TABLE p(a, id)")  # the other way round than is said
    statement = read_statement(CTE)
    assert resolver(over).resolve(statement, HEARD) is statement


def test_a_script_of_many_such_statements_is_read_in_part() -> None:
    over = connection()
    one = resolver(over)
    statements = [one.resolve(read_statement(CTE), HEARD) for _ in range(1000)]
    read = [bool(statement.reads) for statement in statements]
    assert read == sorted(read, reverse=True)
    assert 100 <= sum(read) <= 200


LARGE = {
    "depth": f"SELECT id, a FROM {'(' * 60}p{')' * 60}",
    "length": f"SELECT id, a IN ({'1,' * 15_000}1) FROM (p)",
}  # fmt: skip


@pytest.mark.parametrize("form", LARGE)
def test_what_is_too_deep_or_long_is_not_understood(form: str) -> None:
    found = run(INTO + LARGE[form] + ";").statements[-1]
    assert not found.error
    assert found.parsed.unread
    assert not found.parsed.reads
    assert found.parsed.copy is not None
    assert not found.parsed.copy.whole


@pytest.mark.parametrize(
    "sql",
    sampled(
        [
            "(" * 200_000,
            INTO + "SELECT * FROM " + "(" * 200_000,
            INTO + f"SELECT {'(' * 90}id{')' * 90}, a FROM (p);",
            INTO + f"SELECT {'NOT ' * 90}id, a FROM (p);",
            INTO + f"SELECT {'CASE WHEN 1 THEN ' * 60}id{' END' * 60}, a FROM (p);",
            INTO + f"SELECT {'- ' * 90}id, a FROM (p);",
        ],
        2,
    ),
)
def test_nothing_breaks_the_second_parser(sql: str) -> None:
    assert run(sql).statements


@pytest.mark.parametrize(
    "sql",
    [
        "REPLACE INTO q SELECT * FROM p;",
        "REINDEX p;",
        "CREATE TABLE w(id INTEGER PRIMARY KEY REFERENCES p) WITHOUT ROWID;",
        "CREATE TRIGGER x AFTER INSERT ON p BEGIN DELETE FROM q; END;",
        "ALTER TABLE p ADD COLUMN IF NOT EXISTS b;",
    ],
)
def test_only_queries_come_to_the_second_parser(sql: str) -> None:
    assert not is_read(sql)
    assert read_statement(sql).unread == ""


CHAIN = ", ".join(f"s{n} AS (SELECT * FROM s{n + 1})" for n in range(1000))


@pytest.mark.parametrize(
    "text",
    [
        f"WITH {CHAIN}, s1000 AS (SELECT * FROM p) SELECT * FROM s0",
        f"SELECT {'(' * 3000}id{')' * 3000} FROM p",
        "SELECT FROM WHERE",
        "VACUUM",
        "REINDEX p",
        "CREATE TRIGGER x AFTER INSERT ON p BEGIN DELETE FROM q; END",
        "INSERT INTO q SELECT * FROM p",
        "SELECT * FROM nowhere",
        "SELECT * FROM p INDEXED BY i",
        "SELECT * FROM p QUALIFY id > 1",
        "SELECT * EXCEPT (id) FROM p",
        "SELECT * FROM p TABLESAMPLE (10 ROWS)",
        "SELECT * FROM p SEMI JOIN q",
        "SELECT * FROM p LATERAL VIEW explode(a) t",
        "SELECT TOP 1 * FROM p",
        "SELECT DISTINCT ON (a) * FROM p",
        "",
    ],
    ids=lambda text: text[:30],
)
def test_what_is_not_positively_recognised_is_not_understood(text: str) -> None:
    columns = {"p": ("id", "a"), "q": ("id", "a")}
    try:
        relation = read_query(text, lambda name: columns.get(name, ()))
    except NotUnderstood:
        return
    assert not relation.kept

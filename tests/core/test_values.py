"""Every kind of change in every kind of table is seen by the very question the target is asked."""

from collections.abc import Iterator

import apsw
import pytest

from d1_preflight.core.errors import RemoteFailed
from d1_preflight.core.rows.fingerprint import fingerprint_query, take_fingerprint
from d1_preflight.core.rows.values import Answer, ValueQuestion, Values
from d1_preflight.core.schema.table import TableKind, read_tables
from sampling import sampled

SHOP = """
CREATE TABLE users(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, avatar BLOB, score REAL);
CREATE TABLE members(team TEXT, user TEXT, role TEXT NOT NULL, PRIMARY KEY(team, user));
CREATE TABLE limits(plan TEXT PRIMARY KEY, most INT) WITHOUT ROWID;
CREATE TABLE notes(body, at INT, shout TEXT GENERATED ALWAYS AS (upper(body)) VIRTUAL);
CREATE TABLE exact(id INTEGER PRIMARY KEY, amount INTEGER, rate REAL) STRICT;
INSERT INTO users(name, avatar, score) VALUES ('ana', x'00FF', 1.5), ('bo', NULL, -0.0),
  ('', x'', 1e300);
INSERT INTO members VALUES ('a', '1', 'OWNER'), ('a', '2', 'MEMBER'), ('b', '1', 'owner');
INSERT INTO limits VALUES ('free', 5), ('paid', 9007199254740993), ('none', NULL);
INSERT INTO notes(body, at) VALUES ('same', 1), ('same', 1), (x'73616d65', 1), (NULL, NULL);
INSERT INTO exact VALUES (1, 1, 1.0), (2, -9223372036854775808, 0.1), (3, 0, 0.30000000000000004);
"""
TABLES = ("users", "members", "limits", "notes", "exact")


def shop() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    connection.execute(SHOP)
    return connection


def question(connection: apsw.Connection) -> ValueQuestion:
    tables = [t for t in read_tables(connection) if t.kind is TableKind.ORDINARY]
    queries = [q for t in tables if (q := fingerprint_query(connection, "main", t))]
    local = {q.table.name: take_fingerprint(connection, "main", q) for q in queries}
    return ValueQuestion(tuple(queries), {name: f for name, f in local.items() if f is not None})


def answers(connection: apsw.Connection, asked: ValueQuestion) -> list[Answer]:
    found: list[Answer] = []
    for statement in asked.statements:
        cursor = connection.execute(statement)
        names = [column[0] for column in cursor.get_description()]
        found.append([dict(zip(names, row, strict=True)) for row in cursor])
    return found


def asked(connection: apsw.Connection, question: ValueQuestion) -> Values:
    return question.read(answers(connection, question))


def changes() -> Iterator[tuple[str, str]]:
    """A table, and one statement that changes one value or one row of it."""
    connection = shop()
    for table in read_tables(connection):
        if table.name not in TABLES:
            continue
        key = table.rowid or table.primary_key[0]
        keys = [row[0] for row in connection.execute(f"SELECT quote({key}) FROM {table.name}")]
        for one in keys:
            yield table.name, f"DELETE FROM {table.name} WHERE {key} = {one}"
            for column in table.data_columns:
                kind = next(c.type for c in table.columns if c.name == column)
                value = "4711" if "INT" in kind or kind == "REAL" else "'other'"
                yield table.name, f"UPDATE {table.name} SET {column} = {value} WHERE {key} = {one}"
        marks = {"users": "NULL, 'c', NULL, 2", "members": "'z', 'z', 'z'", "limits": "'z', 1",
                 "notes": "'same', 1", "exact": "9, 9, 9"}[table.name]  # fmt: skip
        names = ", ".join(table.data_columns)
        yield table.name, f"INSERT INTO {table.name}({names}) VALUES ({marks})"
    yield "notes", "UPDATE notes SET body = x'73616d65' WHERE rowid = 1"  # text to blob
    yield "limits", "UPDATE limits SET most = 9007199254740992 WHERE plan = 'paid'"  # beyond 2^53
    yield "exact", "UPDATE exact SET rate = 0.3 WHERE id = 3"
    yield (
        "members",
        "UPDATE members SET role = iif(role = 'OWNER', 'MEMBER', 'OWNER') WHERE team = 'a'",
    )


@pytest.mark.parametrize(("table", "change"), sampled(changes(), 4))
def test_the_changed_table_is_named_and_no_other(table: str, change: str) -> None:
    connection = shop()
    known = question(connection)
    assert asked(connection, known).moved == ()

    connection.execute(change)

    assert asked(connection, known).moved == (table,)


def test_the_words_tell_counts_and_never_a_value() -> None:
    connection = shop()
    known = question(connection)
    connection.execute("UPDATE users SET name = 'secret'; DELETE FROM limits WHERE plan = 'none'")
    values = asked(connection, known)

    assert values.words(values.moved) == "limits (3 rows then, 2 now), users (other values)"
    assert values.rows["limits"] == 2


def test_an_answer_that_is_short_or_odd_is_no_answer() -> None:
    connection = shop()
    known = question(connection)
    good = answers(connection, known)
    for bad in (good[:-1], [*good[:-1], []], [*good[:-1], [{"n": 1}]], [[{"n": "x"}], *good[1:]]):
        with pytest.raises(RemoteFailed, match="could not be read"):
            known.read(bad)

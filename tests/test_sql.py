"""Splitting and tokens: nothing is lost, and SQLite agrees on where a statement ends."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d1_preflight.core.sql.statement import read_statement
from d1_preflight.core.sql.tokenizer import (
    TokenKind,
    all_tokens,
    quote_name,
    split,
    statements,
    tokens,
    unquote,
)

WORDS = ("CREATE", "TEMP", "temporary", "TRIGGER", "trigger", "END", "end", "EXPLAIN", "select")
SIGNS = ("--", "/*", "*/", "/", "-", "*", "'", '"', "`", "[", "]", "''", "(", ";", ";")
BLANKS = (" ", "\n", "\r\n", "\t", "\f", "\v", "\ufeff", "é", "a1$", "1", "x", "begin")
PIECES = st.sampled_from(WORDS + SIGNS + BLANKS)
SCRIPTS = st.lists(PIECES, max_size=18).map("".join) | st.text(max_size=40)


def pieces_by_sqlite(script: str) -> list[str]:
    found, start = [], 0
    for place, character in enumerate(script):
        if character == ";" and sqlite3.complete_statement(script[start : place + 1]):
            found.append(script[start : place + 1])
            start = place + 1
    return [*found, script[start:]] if start < len(script) else found


@given(SCRIPTS)
def test_splitting_loses_no_character(script: str) -> None:
    assert "".join(piece.text for piece in split(script)) == script


@given(SCRIPTS.filter(lambda script: "\0" not in script and not _surrogate(script)))
def test_sqlite_agrees_on_where_a_statement_ends(script: str) -> None:
    assert [piece.text for piece in split(script)] == pieces_by_sqlite(script)


@given(SCRIPTS)
def test_every_piece_but_the_last_is_complete(script: str) -> None:
    assert all(piece.complete for piece in split(script)[:-1])


@given(SCRIPTS)
def test_tokens_stand_where_they_say(script: str) -> None:
    for token in all_tokens(script):
        assert script[token.start : token.start + len(token.text)] == token.text


@given(SCRIPTS)
def test_a_place_is_counted_as_an_editor_counts_it(script: str) -> None:
    for piece in split(script):
        lead = piece.start + piece.lead
        assert piece.line == script.count("\n", 0, lead) + 1
        assert piece.column == lead - script.rfind("\n", 0, lead)


def test_a_trigger_body_stays_in_one_piece() -> None:
    trigger = "create trigger t after insert on a begin select 1; select 2; end;"
    assert [s.text for s in statements(trigger + " SELECT 3;")] == [trigger, " SELECT 3;"]


def test_words_in_text_comments_and_names_are_no_words() -> None:
    sql = "SELECT 'DROP' /* DROP */ -- DROP\n , \"DROP\", `DROP`, [DROP] FROM t"
    assert "DROP" not in {token.word for token in tokens(sql)}


@given(st.text(min_size=1).filter(lambda name: "\0" not in name))
def test_a_quoted_name_comes_back(name: str) -> None:
    assert unquote(quote_name(name)) == name
    [token] = list(all_tokens(quote_name(name)))
    assert (token.kind, token.name) == (TokenKind.NAME, name)


def _surrogate(script: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in script)


@pytest.mark.parametrize(
    "cut",
    [
        "INSERT INTO m SELECT * FROM", "INSERT INTO m SELECT", "SELECT * FROM", "UPDATE t SET",
        "CREATE TABLE a AS SELECT * FROM", "INSERT INTO m SELECT DISTINCT FROM", "DELETE FROM",
        "INSERT INTO m SELECT * FROM (", "INSERT INTO m SELECT * FROM ,", "ALTER TABLE",
        "CREATE VIEW v AS SELECT * FROM", "UPDATE t SET a = 1 FROM", "INSERT INTO", "UPDATE",
    ],
)  # fmt: skip
def test_a_statement_that_is_cut_off_is_read_without_a_crash(cut: str) -> None:
    assert read_statement(cut).verb in cut

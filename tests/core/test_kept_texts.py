"""What a record's commands asked and were answered is kept once."""

import gzip
import json
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from d1_preflight.core.ports import Evidence
from d1_preflight.core.target.query_texts import by_digest, digests_of, read_queries, with_texts
from d1_preflight.core.target.short_reply import short_reply

SQL = "SELECT 1;"
LONG = [{"sql": f"CREATE TABLE t{n}(id)"} for n in range(30)]


def ran(*words: str) -> Evidence:
    return Evidence(("wrangler", *words), 0, 5)


def test_a_query_is_named_by_its_digest() -> None:
    asked = (ran(f"--command={SQL}"), ran("d1", "info"), ran(f"--command={SQL}"))

    evidence, texts = by_digest(asked)

    assert texts == (SQL.encode(),)
    named = f"--command=sha256:{sha256(SQL.encode()).hexdigest()}"
    assert [e.argv[-1] for e in evidence] == [named, "info", named]
    assert by_digest(evidence) == (evidence, ())
    assert set(digests_of(evidence)) == set(read_queries(with_texts(b"", texts)).texts)


@given(st.lists(st.binary(max_size=60) | st.just(b"\n-- sha256 " + b"0" * 64 + b", 1 bytes\n")))
def test_every_text_comes_back_and_none_passes_for_another(texts: list[bytes]) -> None:
    file = with_texts(with_texts(b"", texts), texts)

    found = read_queries(file)

    assert found.is_whole
    assert sorted(found.texts.values()) == sorted(set(texts))


def test_a_changed_text_is_no_text() -> None:
    file = with_texts(b"", [b"SELECT 1;", b"SELECT 2;"])
    other = gzip.compress(gzip.decompress(file).replace(b"SELECT 1", b"SELECT 3"))

    assert not read_queries(other).texts
    for bad in (file + b"x", file + file, file[:-3], b"x", gzip.compress(b"-- sha256")):
        assert not read_queries(bad).is_whole


def reply(*results: object) -> list[str]:
    made = [{"results": r, "success": True, "meta": {"duration": n}} for n, r in enumerate(results)]
    return json.dumps(made, indent=2).splitlines()


def test_a_result_that_an_earlier_reply_holds_is_named() -> None:
    first = "\n".join(short_reply(reply([{"n": 1}], LONG), []))

    second = short_reply(reply(LONG, [{"n": 1}]), [("009-counted.out", first)])

    told = json.loads("\n".join(second))
    assert [r["results"] for r in told] == ["as in 009-counted.out, statement 2", [{"n": 1}]]
    assert [r["meta"] for r in told] == [{"duration": 0}, {"duration": 1}]
    assert len(second) == 4


def test_a_text_that_names_another_reply_is_no_result() -> None:
    third = short_reply(reply(LONG), [("a.out", '[{"results":"as in x.out, statement 1"}]')])

    assert json.loads("\n".join(third))[0]["results"] == LONG


def test_what_is_no_reply_stays_as_it_is() -> None:
    for lines in (["│ table │"], [], ["["], ["[1]"], ["[[[["], ["{}"], ["[" * 9000]):
        assert short_reply(lines, []) == lines


def test_no_character_that_a_terminal_must_not_see_is_unescaped() -> None:
    lines = short_reply([r'[{"results":[{"a":"\u202e\u009b\ud800é"}]}]'], [])

    assert all(line.isprintable() for line in lines)
    assert json.loads("\n".join(lines))[0]["results"] == [{"a": "\u202e\x9b\ud800é"}]

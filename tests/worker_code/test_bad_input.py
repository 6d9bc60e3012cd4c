"""Whatever lies in a project: it is said in one line, and the rest goes on."""

import pytest

from code_in_memory import MemoryTree, NoCache, code_of, queries_in, texts_of, verdict_of
from d1_preflight.code.forms import MOST_FORMS, forms_of
from d1_preflight.code.project_code import read_code
from d1_preflight.code.readings import Means
from d1_preflight.code.source import Scope

GOOD = "db.prepare('SELECT 1')"


@pytest.mark.parametrize(
    ("files", "note"),
    [
        ({"bad.ts": f"const a = = {{;\n{GOOD}"}, "bad.ts does not parse"),
        ({"big.js": "x" * 1_100_000}, "big.js is larger than 1,000,000 bytes"),
        ({"made.js": "!function(){var a=1;" + "a=a+1;" * 2000 + "}()"}, "made.js is minified"),
        ({"wide.ts": "db.prepare('SELECT a')".encode("utf-16")}, "wide.ts is no UTF-8 text"),
        ({"deep.ts": "(" * 20_000}, "deep.ts"),
        ({"bytes.ts": b"\xff\xfe\x00" * 50 + b"db.prepare('SELECT"}, "bytes.ts"),
        ({"chain.ts": "db.prepare(" + "'a' + " * 9_000 + "'b')"}, ""),
        ({"nested.ts": "f(" * 3_000 + "db.prepare('SELECT 2')" + ")" * 3_000}, ""),
        ({"templates.ts": "db.prepare(" + "`${" * 500 + "a" + "}`" * 500 + ")"}, ""),
    ],
    ids=[
        "syntax",
        "long",
        "minified",
        "utf-16",
        "parentheses",
        "bytes",
        "chain",
        "calls",
        "templates",
    ],
)
def test_a_bad_file_hides_no_other(files: dict[str, str | bytes], note: str) -> None:
    code = code_of({**files, "good.ts": GOOD})

    assert "SELECT 1" in texts_of(code)
    assert any(note in found for found in code.notes) or not note


@pytest.mark.parametrize(
    "source",
    [
        "import { a } from './index'; export const a = `${a} x`; db.prepare(a)",
        "const a = b; const b = a; db.prepare(a)",
        "const f = (q: string) => f(q + 'x'); const g = () => g(); db.prepare(f('a') + g())",
        "function w(q) { db.prepare(q); w(q + ' ') } w('SELECT 1')",
        "let q = ''; q = q + q; q += q; db.prepare(q)",
        "const o = { ...o, a: o.a }; db.prepare(o.a)",
        "export * from './index'; export { z } from './index'; db.prepare(z)",
    ],
)
def test_a_circle_ends(source: str) -> None:
    assert isinstance(queries_in(source), list)


@pytest.mark.parametrize(
    "handed_on",
    [
        "run;\n" * 15_000,
        pytest.param("f(run);\n" * 15_000, marks=pytest.mark.matrix),
        "const q = run;\n" + "q(x);\n" * 15_000,
    ],
    ids=["values", "arguments", "another name"],
)
def test_what_is_handed_on_without_end_is_said_to_be_unseen(handed_on: str) -> None:
    code = code_of({
        "run.ts": "export const run = (sql) => db.prepare(sql)",
        "other.ts": "import { run } from './run'; run('SELECT 1')",
        "long.ts": f"import {{ run }} from './run';\n{handed_on}",
    })  # fmt: skip

    assert {query.path for query in code.queries} == {"other.ts", "long.ts"}


def test_imports_in_a_circle_end() -> None:
    code = code_of({
        "a.ts": "import { B } from './b'; export const A = B; db.prepare(A)",
        "b.ts": "import { A } from './a'; export const B = A; export const C = 'SELECT 1'",
        "c.ts": "import { C } from './b'; db.prepare(C)",
    })  # fmt: skip

    assert "SELECT 1" in texts_of(code)


@pytest.mark.parametrize("specifier", ["./gone", "../gone.ts", "./made/client.js", "./q.sql"])
def test_an_import_of_code_that_is_not_here_is_said(specifier: str) -> None:
    code = code_of({"src/a.ts": f"import x from '{specifier}'; {GOOD}"})

    assert code.notes == (f"src/a.ts imports {specifier}, no file here: left out",)
    assert code.left_out == 1


def test_a_file_that_the_tree_left_out_is_said_once() -> None:
    note = "src/made.js is larger than 1,000,000 bytes: left out"
    tree = MemoryTree({"src/a.ts": f"import './made'; {GOOD}"}, notes=(note,))

    code = read_code(tree, Scope(), NoCache())

    assert (code.notes, code.left_out) == ((note,), 1)


def test_more_files_than_are_read_count_as_unseen() -> None:
    many = {f"f{number}.ts": "" for number in range(20_001)}

    code = code_of({**many, "a.ts": GOOD})

    assert code.notes == ("more than 20,000 files: the rest is left out",)
    assert code.left_out == 1


@pytest.mark.parametrize(
    ("source", "may_hold"),
    [
        ("export const g = () => { if (( { } \n ??? \n `SELECT 2` DB.prepare `x` }", True),
        ("class { { ( => DB.pre pare('SELECT name FROM users')", True),
        ("const a = 1; @@ run(all) @@", True),
        ("for (let n = 0; n < unique.length; n += 1) { use(n) }", False),
        ("const a = 1 @@ 2;", False),
    ],
)
def test_what_does_not_parse_counts_as_unseen_where_a_query_may_be(
    source: str, may_hold: bool
) -> None:
    verdict = verdict_of(
        {"a.ts": f"{GOOD}\n{source}"}, "ALTER TABLE t RENAME TO u", before="CREATE TABLE t (id)"
    )

    assert verdict.deployed.left_out == int(may_hold)
    assert any("does not parse" in note for note in verdict.deployed.notes)
    assert bool(verdict.unseen) == may_hold


@pytest.mark.parametrize(
    "specifier",
    ["./app.css", "./logo.svg?url", "./env", "./+types/root", "./$types", "other", "node:fs", "."],
)
def test_an_import_that_is_no_code_is_not_missed(specifier: str) -> None:
    code = code_of({"src/a.ts": f"import x from '{specifier}'; {GOOD}", "src/env.d.ts": ""})

    assert code.notes == ()
    assert code.left_out == 0


def test_nested_choices_do_not_explode() -> None:
    source = "const a0 = x ? 'a' : 'b';\n"
    source += "".join(f"const a{n} = x ? a{n - 1} + a{n - 1} : a{n - 1};\n" for n in range(1, 40))
    source += "db.prepare('SELECT ' + a39)"

    (query,) = code_of({"a.ts": source}).queries

    assert len(forms_of(query.sql)) <= MOST_FORMS + 1


def test_files_that_come_too_late_are_left_out_and_said() -> None:
    answers = iter((False, True, True))
    tree = MemoryTree({"a.ts": GOOD, "b.ts": GOOD.replace("1", "2")})

    code = read_code(tree, Scope(), NoCache(), Means(lambda: next(answers, True)))

    assert texts_of(code) == ["SELECT 1"]
    assert code.left_out == 1
    assert "b.ts was not reached in time: left out" in code.notes


def test_others_files_are_not_even_read() -> None:
    tree = MemoryTree({
        "a.ts": GOOD, "node_modules/x/a.ts": GOOD, "a.test.ts": GOOD, "dist.min.js": GOOD,
        "pkg/.wrangler/tmp/a.js": GOOD,
    })  # fmt: skip

    read_code(tree, Scope(), NoCache())

    assert tree.asked == ["a.ts"]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import { drizzle } from 'drizzle-orm/d1'", "drizzle"),
        ("import { PrismaClient } from '@prisma/client'", "Prisma"),
        ("import { PrismaClient } from './generated/prisma'", "Prisma"),
        ("import { Kysely } from 'kysely'", "Kysely"),
        ("const { D1Dialect } = require('kysely-d1'); import k from 'kysely'", "Kysely"),
    ],
)
def test_a_library_that_hides_sql_is_recognised(source: str, name: str) -> None:
    assert code_of({"a.ts": source}).orms == {name: 1}

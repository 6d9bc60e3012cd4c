"""What was read for one code is not read again for another, and only where it rests on the same."""

import pytest

from code_in_memory import Files, MemoryTree, NoCache, texts_of
from d1_preflight.code.project_code import read_code
from d1_preflight.code.readings import Means
from d1_preflight.code.source import Scope

OLD: Files = {
    "src/a.ts": "import { COLUMNS } from './columns'; db.prepare(`SELECT ${COLUMNS} FROM t`)",
    "src/b.ts": "import { all } from '@app/db'; all(env, `SELECT ${x()} FROM u`);\n"
    "function x() { return 'b' }",
    "src/columns.ts": "export { COLUMNS } from './deep'",
    "src/deep.ts": "export const COLUMNS = 'a'",
    "lib/package.json": '{"name": "@app/db", "main": "./one.ts"}',
    "lib/one.ts": "export const all = (e: Env, q: string) => e.DB.prepare(q + ' LIMIT 1').all()",
    "lib/two.ts": "export const all = (e: Env, q: string) => e.DB.prepare(q + ' LIMIT 2').all()",
    "src/c.ts": "import q from './q.sql'; import { named } from './named'; db.prepare(q);\n"
    "db.prepare(`SELECT 1 FROM ${named('v')}`)",
    "src/q.sql": "SELECT 1 FROM w",
    "src/named.ts": "export const named = (n: string) => `t_${n}`",
}
CHANGES: dict[str, Files] = {
    "nothing": {},
    "another file": {"src/other.ts": "export const n = 1"},
    "a constant two files on": {"src/deep.ts": "export const COLUMNS = 'z'"},
    "a constant that is exported on": {"src/columns.ts": "export const COLUMNS = 'y'"},
    "a wrapper": {"lib/one.ts": "export const all = (e: Env, q: string) => e.DB.prepare(q)"},
    "its caller": {"src/b.ts": "import { all } from '@app/db'; all(env, 'SELECT 5')"},
    "which file a package means": {
        "lib/package.json": '{"name": "@app/db", "main": "./two.ts"}',
    },
    "a text": {"src/q.sql": "SELECT 2 FROM w"},
    "a function": {"src/named.ts": "export const named = (n: string) => `u_${n}`"},
    "which file a name means": {"src/deep.tsx": "", "src/columns/index.ts": "", "src/x.ts": ""},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_second_code_is_read_as_if_it_came_alone(change: str) -> None:
    new, means = MemoryTree({**OLD, **CHANGES[change]}), Means()

    old = read_code(MemoryTree(OLD), Scope(), NoCache(), means)
    found = read_code(new, Scope(), NoCache(), means)

    alone = read_code(new, Scope(), NoCache())
    assert found.queries == alone.queries
    assert (texts_of(found) == texts_of(old)) == (change in SAME)


SAME = ("nothing", "another file", "which file a name means")


def test_what_rests_on_the_same_files_is_linked_once() -> None:
    means = Means()
    changed = MemoryTree({**OLD, "src/deep.ts": "export const COLUMNS = 'z'"})

    old = read_code(MemoryTree(OLD), Scope(), NoCache(), means)
    new = read_code(changed, Scope(), NoCache(), means)

    before = {id(query) for query in old.queries}
    again = [query.path for query in new.queries if id(query) not in before]
    assert again == ["src/a.ts"]

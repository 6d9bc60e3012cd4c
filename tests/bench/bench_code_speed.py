"""How fast `preflight code` is on a project made for it: `bench_code_speed.py [--files 2000]`.

Makes a Worker of so many source files in a folder of its own, once where a part of them holds
queries and once where all do, and runs the whole command: cold, again with nothing changed, and
with one file changed. The same seed makes the same files. Prints wall and CPU seconds, and how fast
this machine is at the moment, for other work on it slows all figures.
"""

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

COLD_S, WARM_S = 3.0, 0.3
_TABLES = 40
_CONFIG = """{
  "name": "bench", "main": "src/index.ts",
  "d1_databases": [{"binding": "DB", "database_name": "bench",
    "database_id": "a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d"}]
}
"""
_DB = """import type { D1Database } from "@cloudflare/workers-types";
export const COLUMNS = "id, name, state, created_at";
export async function all(db: D1Database, sql: string, ...given: unknown[]) {
  return (await db.prepare(sql).bind(...given).all()).results;
}
"""
_QUERIES = """
export async function find{n}(db: D1Database, id: string): Promise<Row{n} | null> {{
  const row = await db.prepare("SELECT id, name, state FROM t{t} WHERE id = ?").bind(id).first();
  if (!row) {{
    return null;
  }}
  return {{ id: String(row.id), name: String(row.name), state: row.state === 1 }};
}}

export async function list{n}(db: D1Database, states: number[], newest = false) {{
  const marks = states.map(() => "?").join(", ");
  let sql = `SELECT ${{COLUMNS}} FROM t{u} WHERE state IN (${{marks}})`;
  if (newest) {{
    sql += " ORDER BY created_at DESC";
  }}
  return await all(db, sql, ...states);
}}

export async function save{n}(env: Env, row: Row{n}) {{
  await env.DB.batch([
    env.DB.prepare("UPDATE t{t} SET name = ?, state = 1 WHERE id = ?").bind(row.name, row.id),
    env.DB.prepare("INSERT INTO t{u} (id, name, state) VALUES (?, ?, 0)").bind(row.id, row.name),
  ]);
}}
"""
_PLAIN = """
export interface Row{n} {{
  id: string;
  name: string;
  state: boolean;
  /** When it was last seen, in seconds; undefined for one that nobody opened yet. */
  seen?: number;
}}

/** Groups what is given by its first letter, the empty ones last. */
export function group{n}(rows: readonly Row{n}[]): Map<string, Row{n}[]> {{
  const found = new Map<string, Row{n}[]>();
  for (const row of rows) {{
    const key = row.name.slice(0, 1).toUpperCase() || "#";
    const known = found.get(key);
    if (known === undefined) {{
      found.set(key, [row]);
    }} else {{
      known.push(row);
    }}
  }}
  return new Map([...found].sort(([left], [right]) => left.localeCompare(right)));
}}

export const label{n} = (row: Row{n}, isLong: boolean): string => {{
  const parts = [row.name.trim(), row.state ? "on" : "off"];
  if (isLong && row.seen !== undefined) {{
    parts.push(new Date(row.seen * 1000).toISOString());
  }}
  return parts.filter((part) => part.length > 0).join(" - ");
}};
"""


def folder_of(number: int) -> str:
    return f"src/area{number % 25}"


def source(number: int, *, holds_queries: bool, chance: random.Random) -> str:
    """One module: what it imports, then blocks with queries or without."""
    lines = ['import type { Env } from "../env";', 'import { all, COLUMNS } from "../db";']
    blocks = []
    for n in range(number * 10, number * 10 + chance.randint(2, 4)):
        blocks.append(_PLAIN.format(n=n))
        if holds_queries:
            t, u = chance.randrange(_TABLES), chance.randrange(_TABLES)
            blocks.append(_QUERIES.format(n=n, t=t, u=u))
    return "\n".join((*(lines if holds_queries else lines[:1]), *blocks))


def make(root: Path, files: int, share: float, seed: int) -> int:
    """Write the project and commit it; returns how many bytes of source it has."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    tables = "\n".join(
        f"CREATE TABLE t{t} (id TEXT PRIMARY KEY, name TEXT, state INTEGER, created_at INTEGER);"
        for t in range(_TABLES)
    )
    texts = {
        "wrangler.jsonc": _CONFIG,
        "migrations/0001_tables.sql": tables,
        "migrations/0002_rename.sql": "ALTER TABLE t7 RENAME COLUMN name TO title;\n",
        "src/db.ts": _DB,
        "src/env.ts": "export interface Env { DB: D1Database }\n",
        "src/index.ts": "".join(f'import "./area{n}/index";\n' for n in range(25)),
    }
    for number in range(files - 28):
        holds = number < share * files
        name = f"{folder_of(number)}/m{number}.ts"
        texts[name] = source(number, holds_queries=holds, chance=chance)
        index = f"{folder_of(number)}/index.ts"
        texts[index] = texts.get(index, "") + f'export * from "./m{number}";\n'
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "all")):
        named = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
        subprocess.run(("git", "-C", str(root), *named, *words), check=True)
    return sum(len(text) for name, text in texts.items() if name.endswith(".ts"))


def run(root: Path, cache: Path) -> tuple[float, float]:
    """Wall and CPU seconds of the whole command."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    words = (sys.executable, "-m", "d1_preflight", "code", "--format", "json")
    environ = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    done = subprocess.run(words, cwd=root, env=environ, capture_output=True, check=False)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 1, done.stderr.decode()
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu


def figures(root: Path, cache: Path) -> Iterator[tuple[str, float, float, float]]:
    """The name of each measure, its seconds and its aim."""
    yield ("cold", *run(root, cache), COLD_S)
    for _ in range(3):
        yield ("nothing changed", *run(root, cache), WARM_S)
    changed = root / folder_of(3) / "m3.ts"
    changed.write_text(f"{changed.read_text()}\n// changed\n")
    yield ("one file changed", *run(root, cache), COLD_S)


def loop_s() -> float:
    """How long this machine now takes for ten million turns of a loop."""
    began = time.process_time()
    for _ in range(10_000_000):
        pass
    return time.process_time() - began


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--share", type=float, action="append", help="of files that hold queries")
    parser.add_argument("--seed", type=int, default=13)
    arguments = parser.parse_args()
    for share in arguments.share or (0.15, 1.0):
        with tempfile.TemporaryDirectory() as made:
            root = Path(made) / "project"
            size = make(root, arguments.files, share, arguments.seed)
            print(f"{arguments.files:,} files, {size:,} bytes, {share:.0%} hold queries")
            for name, wall, cpu, aim in figures(root, Path(made) / "cache"):
                kept = "" if wall <= aim else f"  over {aim:g} s"
                print(f"  {name:18} {wall:6.2f} s wall {cpu:6.2f} s CPU{kept}")
    print(f"this machine now: {loop_s():.2f} s for a loop of 10 M")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")


if __name__ == "__main__":
    main()

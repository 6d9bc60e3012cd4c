// Runs cases on real local D1 (workerd), each on a database of its own; one JSON line a case.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [wrangler] = process.argv.slice(2);
const { Miniflare, convertV4MiniflareOptions } = createRequire(wrangler)("miniflare");
const cases = JSON.parse(readFileSync(0, "utf8"));
const names = cases.map((_, n) => `DB${n}`);
const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    modules: true,
    script: "",
    d1Databases: Object.fromEntries(names.map((name) => [name, name])),
  }),
);
for (const [n, statements] of cases.entries()) {
  const database = await miniflare.getD1Database(names[n]);
  let line;
  try {
    const found = await database.batch(statements.map((sql) => database.prepare(sql)));
    line = { rows: found.map((item) => item.results), changes: found.map((item) => item.meta.changes) };
  } catch (error) {
    line = { error: String(error.message).replace(/^D1_ERROR: /, "") };
  }
  console.log(JSON.stringify(line));
}
await miniflare.dispose();

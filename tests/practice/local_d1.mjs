// Runs cases on real local D1 (workerd), each on a database of its own; one JSON line a case.
// A case is a list of files, a file a list of statements: one file is one batch, as in wrangler.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

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

async function outcome(database, statements) {
  try {
    const found = await database.batch(statements.map((sql) => database.prepare(sql)));
    return {
      rows: found.map((item) => item.results),
      changes: found.map((item) => item.meta.changes),
      last_row_id: found.map((item) => item.meta.last_row_id),
    };
  } catch (error) {
    return { error: String(error.message).replace(/^D1_ERROR: /, "") };
  }
}

for (const [n, files] of cases.entries()) {
  const database = await miniflare.getD1Database(names[n]);
  const outcomes = [];
  for (const statements of files) outcomes.push(await outcome(database, statements));
  console.log(JSON.stringify(outcomes));
}
await miniflare.dispose();

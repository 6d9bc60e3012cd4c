// Runs batches of statements on real local D1, a fresh database for each case.
// node d1_batches.mjs <node_modules> <folder>: reads cases.json, writes answers.json there.
import { createRequire } from "node:module";
import fs from "node:fs";
import path from "node:path";

const [modules, folder] = process.argv.slice(2);
const { getPlatformProxy } = createRequire(path.join(modules, "x.js"))("wrangler");
const cases = JSON.parse(fs.readFileSync(path.join(folder, "cases.json"), "utf8"));
const databases = cases.map((_, n) => ({
  binding: `D${n}`,
  database_name: `d${n}`,
  database_id: `id${n}`,
}));
const configPath = path.join(folder, "wrangler.json");
fs.writeFileSync(
  configPath,
  JSON.stringify({ name: "x", compatibility_date: "2026-01-01", d1_databases: databases }),
);
const proxy = await getPlatformProxy({ configPath, persist: false });
const answers = [];
for (const [n, batches] of cases.entries()) {
  const database = proxy.env[`D${n}`];
  const answer = [];
  for (const batch of batches) {
    try {
      const results = await database.batch(batch.map((sql) => database.prepare(sql)));
      answer.push({ error: "", rows: results.at(-1)?.results ?? [] });
    } catch (error) {
      answer.push({ error: String(error.message ?? error), rows: [] });
    }
  }
  answers.push(answer);
}
fs.writeFileSync(path.join(folder, "answers.json"), JSON.stringify(answers));
await proxy.dispose();

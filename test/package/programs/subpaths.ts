/** Imports and requires every sub-path that the manifest names; prints what differs between the two, and how many there are. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const manifest = JSON.parse(readFileSync(require.resolve("papo/package.json"), "utf8"));
const doors = Object.keys(manifest.exports).filter((path) => !path.endsWith(".json"));
for (const door of doors) {
  const name = door.replace(/^\./, "papo");
  const imported = (await import(name)) as Record<string, unknown>;
  const required = require(name) as Record<string, unknown>;
  const names = Object.keys(imported);
  assert.ok(names.length > 0, `${name} exports nothing`);
  for (const one of names) assert.equal(required[one], imported[one], `${one} of ${name}`);
}
// What is not exported stays inside; Node has an error of its own for it, other runtimes do not find it.
const inside = "papo/dist/index.js";
await assert.rejects(import(inside), ({ code }) =>
  ["ERR_PACKAGE_PATH_NOT_EXPORTED", "ERR_MODULE_NOT_FOUND"].includes(code),
);
console.log(JSON.stringify({ doors: doors.length }));

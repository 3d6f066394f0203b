/** A process that writes a version over the old file where there is no room: `full-child.ts PATH`; it says what came of it. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { writeNewFile } from "../../lib/core/new-file.js";
import { PapoError } from "../../lib/index.js";
import { writeVersion } from "./versions.js";

const [path = ""] = process.argv.slice(2);
writeFileSync(path, "old");
const said = [() => writeVersion(path, 1), () => writeNewFile(path, Buffer.alloc(2 ** 20))].map(
  (write) =>
    write().then(
      () => "written",
      (error: Error & { code: string }) =>
        `${error instanceof PapoError} ${error.code} ${/\bE[A-Z]+\b(?=:)/.exec(error.message)?.[0]}`,
    ),
);
const outcomes = await Promise.all(said);
const left = readdirSync(dirname(path)).filter((name) => name !== basename(path));
console.log(JSON.stringify({ outcomes, old: readFileSync(path, "utf8"), left }));

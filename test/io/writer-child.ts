/**
 * A process that writes a file of one version and dies by SIGKILL before its n-th step on the file system:
 * `writer-child.ts PATH VERSION STEP`. With a negative step it says how many there were.
 */
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

const [path = "", version = "", step = "-1"] = process.argv.slice(2);

let steps = 0;
/** Puts itself before a function of the file system. */
function count(owner: object, name: string): void {
  const functions = owner as Record<string, (...args: unknown[]) => unknown>;
  const original = functions[name] as (...args: unknown[]) => unknown;
  functions[name] = function (this: unknown, ...args) {
    if (steps++ === Number(step)) process.kill(process.pid, "SIGKILL");
    return original.apply(this, args);
  };
}

const handle = await promises.open(process.execPath);
const ofHandles = Object.getPrototypeOf(handle) as object;
await handle.close();
for (const name of ["write", "truncate", "sync", "chmod"]) count(ofHandles, name);
for (const name of ["open", "rename", "unlink"]) count(promises, name);
syncBuiltinESMExports();

const { writeVersion } = await import("./versions.js");
await writeVersion(path, Number(version));
console.log(steps);

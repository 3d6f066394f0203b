/**
 * `npm run gpu`: runs bench/gpu/run.sh with the same options, then prints its figures as a table.
 *
 *   npm run gpu -- --quick
 *   npm run gpu -- --table bench/results/gpu-….json     only the table of figures that are there
 */
import { spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type GpuResult, gpuTable } from "./table.js";

const arguments_ = process.argv.slice(2);
const read = (path: string) => JSON.parse(readFileSync(path, "utf8")) as GpuResult;

if (arguments_[0] === "--table") {
  const [, path] = arguments_;
  if (path === undefined) throw new Error("--table needs a file");
  console.log(gpuTable(read(path)));
} else {
  const build = arguments_.indexOf("--build");
  const folder = build < 0 ? "build/gpu" : arguments_[build + 1];
  const figures = `${folder}/result.json`;
  const before = modified(figures);
  const script = fileURLToPath(new URL("run.sh", import.meta.url));
  const { status, error } = spawnSync("bash", [script, ...arguments_], { stdio: "inherit" });
  if (error) throw error;
  // What an earlier run left is not shown as this one's.
  if (modified(figures) !== before) console.log(`\n${gpuTable(read(figures))}`);
  process.exitCode = status ?? 1;
}

function modified(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

#!/usr/bin/env node
// Stands where node-gyp is expected (prebuildify's --node-gyp, the action in binding.gyp) and builds with CMake.
// node-gyp's arguments are dropped on purpose: Node-API is ABI-stable, so one build serves every Node version,
// and the headers come from the package node-api-headers or from copies of it, so nothing is downloaded.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
// A checkout has cmake-js, whose builds are incremental; an installed package has `papo build`.
const [program, ...args] = existsSync(join(root, "lib"))
  ? ["npm", "run", "build:native"]
  : [process.execPath, "dist/cli/main.js", "build"];
const { status, error } = spawnSync(program, args, {
  cwd: root,
  stdio: "inherit",
  shell: program === "npm" && process.platform === "win32",
});
if (error) throw error;
process.exit(status ?? 1);

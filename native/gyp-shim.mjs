#!/usr/bin/env node
// Stands where node-gyp is expected (prebuildify's --node-gyp, the action in binding.gyp) and builds with cmake-js.
// node-gyp's arguments are dropped on purpose: Node-API is ABI-stable, so one build serves every Node version,
// and the headers come from the package node-api-headers, so nothing is downloaded.
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const { status, error } = spawnSync("npm", ["run", "build:native"], {
  cwd: dirname(dirname(fileURLToPath(import.meta.url))),
  stdio: "inherit",
  shell: process.platform === "win32",
});
if (error) throw error;
process.exit(status ?? 1);

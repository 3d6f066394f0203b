#!/usr/bin/env node
// Stands where node-gyp is expected (prebuildify's --node-gyp, the action in binding.gyp) and builds with CMake.
// node-gyp's arguments are dropped on purpose: Node-API is ABI-stable, so one build serves every Node version,
// and the headers come from the package node-api-headers or from copies of it, so nothing is downloaded.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
// A preset of CMakePresets.json: a build for another system than this one (packaging/prebuild.ts).
const preset = process.env.PAPO_CMAKE_PRESET;

if (preset) {
  run("cmake", "--preset", preset);
  run("cmake", "--build", "--preset", preset, "--target", "papo");
} else {
  run("npm", "run", "build:native");
}

// prebuildify strips what it finds and moves it away. Where it works in a folder of its own, it gets a copy.
const here = process.cwd();
if (process.env.PREBUILD_ARCH && here !== root) {
  const folder = join(here, "build", "Release");
  mkdirSync(folder, { recursive: true });
  const built = join(root, "build", preset ?? "Release", "papo.node");
  copyFileSync(built, join(folder, "papo.node"));
}

function run(program, ...args) {
  const shell = program === "npm" && process.platform === "win32";
  const { status, error } = spawnSync(program, args, { cwd: root, stdio: "inherit", shell });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

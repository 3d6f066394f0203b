/** `npm run build:prebuilds [-- TARGET...]`: addons for the package, through prebuildify and the one CMake build. */
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sourcesDigest, writeRecord } from "./record.js";
import {
  addonOf,
  holdsKernels,
  hostTarget,
  missingOf,
  run,
  TARGETS,
  type Target,
} from "./targets.js";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PREBUILDIFY = fileURLToPath(import.meta.resolve("prebuildify/bin.js"));
const SHIM = join(ROOT, "native", "gyp-shim.mjs");

/** Compiles the addon of a target into `prebuilds/`. */
function prebuild(name: string, target: Target): void {
  const { platform, arch, libc } = target;
  const cross = name === hostTarget() ? undefined : target.cross;
  if (cross?.prepare) run(join(ROOT, cross.prepare), []);
  const folder = join(ROOT, "build", "prebuild", name);
  mkdirSync(folder, { recursive: true });
  const args = [
    ...["--napi", "--strip", "--name", "papo", "--cwd", folder, "--out", ROOT],
    ...["--platform", platform, "--arch", arch, "--strip-bin", cross?.strip ?? "strip"],
    // Windows starts no scripts by themselves.
    ...["--node-gyp", process.platform === "win32" ? `node "${SHIM}"` : SHIM],
    ...(libc === undefined ? [] : ["--tag-libc", libc]),
  ];
  run(process.execPath, [PREBUILDIFY, ...args], cross ? { env: { PAPO_CMAKE_PRESET: name } } : {});
}

/** Why a target cannot be built here, one sentence each; none where it can. */
function objectionsTo(name: string): string[] {
  const target = TARGETS[name];
  const host = hostTarget();
  if (!target) {
    return [`expected a target, received ${name}; there are ${Object.keys(TARGETS).join(", ")}`];
  }
  if (name === host) return [];
  if (!target.cross || host !== "linux-x64") return [`${name} is not built on ${host}`];
  return missingOf(target.cross.tools).map((sentence) => `${name}: ${sentence}`);
}

const names = process.argv.length > 2 ? process.argv.slice(2) : [hostTarget()];
const objections = names.flatMap(objectionsTo);
if (objections.length > 0) {
  for (const sentence of objections) console.error(`build:prebuilds: ${sentence}`);
  process.exit(1);
}
for (const name of names) {
  const target = TARGETS[name] as Target;
  const path = addonOf(target);
  const sources = sourcesDigest();
  prebuild(name, target);
  writeRecord(path, sources);
  const cuda = holdsKernels(join(ROOT, path)) ? "with CUDA kernels" : "without CUDA kernels";
  console.log(`${path}: ${statSync(join(ROOT, path)).size} bytes, ${cuda}`);
}

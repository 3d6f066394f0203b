/** Steps over what was made: node_modules is the lock's, dist the sources', headers the packages', addons this commit's. */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { tryAddon } from "../../lib/addon/load.js";
import { ROOT, readManifest } from "../licences/manifest.js";
import { CUDA_VERSION } from "../licences/parts.js";
import { digestOf, objectionsToRecord, sourcesDigest } from "../record.js";
import { addonOf, hostTarget, TARGETS } from "../targets.js";
import { command, failures, type Step } from "./step.js";

export const INSTALLED: Step = {
  name: "installed",
  title: "node_modules is what the lock says",
  run() {
    const found = differencesOfLocks(
      packagesIn("package-lock.json"),
      packagesIn("node_modules/.package-lock.json"),
    );
    const few = found.slice(0, 10);
    return failures(
      found.length === 0 ? [] : [`npm ci --ignore-scripts renews it:\n${few.join("\n")}`],
    );
  },
};

export const BUILT: Step = {
  name: "built",
  title: "dist is what the sources compile to, and the headers are those of npm's packages",
  after: ["installed"],
  run() {
    const fresh = join(ROOT, "build", "release", "dist");
    rmSync(fresh, { recursive: true, force: true });
    const { ok, tail } = command(process.execPath, [
      join(ROOT, "node_modules", "@typescript", "native", "bin", "tsc"),
      ...["-p", "tsconfig.build.json", "--outDir", fresh],
    ]);
    if (!ok) return failures([tail]);
    const dist = differencesOfFolders(fresh, join(ROOT, "dist"));
    const copies = join(ROOT, "third-party", "node-api");
    const headers = filesIn(copies).filter((name) => {
      const names = ["node-addon-api", "node-api-headers/include", "node-api-headers/def"];
      const licence = /^LICENSE-(.*)$/.exec(name)?.[1];
      const places = licence
        ? ["LICENSE", "LICENSE.md"].map((file) => join("node_modules", licence, file))
        : names.map((folder) => join("node_modules", folder, name));
      return !places.some((place) => isSame(join(ROOT, place), join(copies, name)));
    });
    return failures([
      ...(dist.length > 0
        ? [`rm -rf dist && npm run build:lib renews dist:\n${dist.slice(0, 10).join("\n")}`]
        : []),
      ...(headers.length > 0 || filesIn(copies).length === 0
        ? [`npm run build:headers renews third-party:\n${headers.join("\n")}`]
        : []),
    ]);
  },
};

/** The addons that a release must have, and every one that is there: compiled from these sources, within its limits. */
export function addonsStep(required: string): Step {
  return {
    name: "addons",
    title: `prebuilt addons: ${required}, each from these sources`,
    run() {
      const sources = sourcesDigest();
      const there = filesIn(join(ROOT, "prebuilds"))
        .filter((name) => name.endsWith(".node"))
        .map((name) => `prebuilds/${name}`);
      const promises = command(process.execPath, ava("test/package/binary.test.ts"), {
        PAPO_REQUIRE_PREBUILDS: required,
      });
      return failures(
        [
          ...(promises.ok ? [] : [promises.tail]),
          ...there.flatMap((addon) => objectionsToRecord(addon, sources)),
          ...objectionsToCuda(),
        ],
        there.map((addon) => `${digestOf(join(ROOT, addon)).slice(0, 16)}… ${addon}`),
      );
    },
  };
}

/** Arguments of node for a file of tests: those that `npm test` leaves out have a configuration of their own. */
export function ava(file: string, config: "default" | "package" = "default"): string[] {
  const program = join(ROOT, "node_modules", "ava", "entrypoints", "cli.mjs");
  return [program, ...(config === "package" ? ["--config", "ava.package.config.mjs"] : []), file];
}

/** The licences name one release of CUDA's runtime; this machine's addon says which one it holds. */
function objectionsToCuda(): string[] {
  const target = TARGETS[hostTarget()];
  const path = target && join(ROOT, addonOf(target));
  if (!path || !existsSync(path)) return [];
  const addon = tryAddon(path, readManifest().version);
  if ("problem" in addon) return [`${addonOf(target)}: ${addon.reason}`];
  const { built, runtimeVersion } = addon.info().cuda;
  if (!built || runtimeVersion === CUDA_VERSION) return [];
  return [
    `${addonOf(target)} holds CUDA ${runtimeVersion}; packaging/licences/parts.ts names ${CUDA_VERSION}`,
  ];
}

type Packages = Readonly<Record<string, { readonly version: string; readonly optional?: boolean }>>;

/** What is installed in another version than locked, or not at all; what is optional may be missing. */
export function differencesOfLocks(locked: Packages, installed: Packages): string[] {
  return Object.entries({ ...installed, ...locked }).flatMap(([path]) => {
    const [wanted, there] = [locked[path], installed[path]];
    if (path === "" || wanted?.version === there?.version) return [];
    if (there === undefined && wanted?.optional) return [];
    return [`${path}: locked ${wanted?.version ?? "none"}, installed ${there?.version ?? "none"}`];
  });
}

function packagesIn(path: string): Packages {
  const lock = JSON.parse(readFileSync(join(ROOT, path), "utf8")) as { packages: Packages };
  return lock.packages;
}

/** Names of files that are in one of two folders only, or not the same in both. */
export function differencesOfFolders(a: string, b: string): string[] {
  const names = new Set([...filesIn(a), ...filesIn(b)]);
  return [...names].filter((name) => !isSame(join(a, name), join(b, name))).sort();
}

function isSame(a: string, b: string): boolean {
  return existsSync(a) && existsSync(b) && readFileSync(a).equals(readFileSync(b));
}

function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll("\\", "/"),
    );
}

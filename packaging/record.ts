/** What lies beside every prebuilt addon: from which sources it was compiled. A release compares it with its own. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { locked, readManifest } from "./licences/manifest.js";
import { holdsKernels } from "./targets.js";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Everything that the compilers read or obey; the headers from npm are in by their versions. */
const SOURCES = ["CMakeLists.txt", "CMakePresets.json", "native", "packaging"];
const COMPILED = /\.(txt|cpp|hpp|cu|cuh|cmake|sh|c)$|^CMakePresets\.json$/;
const HEADERS = ["node-addon-api", "node-api-headers"];

export interface BuildRecord {
  readonly version: string;
  /** Of the checkout; null without git. Its files may have been others: what counts is `sources`. */
  readonly commit: string | null;
  /** SHA-256 over everything that the addon is compiled from. */
  readonly sources: string;
  /** SHA-256 of the addon. */
  readonly addon: string;
  readonly cuda: boolean;
}

/** `prebuilds/linux-x64/papo.glibc.json` of `prebuilds/linux-x64/papo.glibc.node`. */
export function recordOf(addon: string): string {
  return addon.replace(/\.node$/, ".json");
}

/** SHA-256 over names and contents of the native sources, with line ends as they are in git. */
export function sourcesDigest(root: string = ROOT): string {
  const files = SOURCES.flatMap((name) => filesOf(root, name)).filter((path) =>
    COMPILED.test(path),
  );
  const hash = createHash("sha256");
  for (const path of files.sort()) {
    const text = readFileSync(join(root, path), "utf8").replaceAll("\r\n", "\n");
    hash.update(`${path}\0${text}\0`);
  }
  for (const name of HEADERS) hash.update(`${name}@${locked(name).version}\0`);
  return hash.update(readManifest().version).digest("hex");
}

/** SHA-256 of a file. */
export function digestOf(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/**
 * Writes the record of an addon that was compiled just now.
 *
 * @param sources  their digest before the build; where they changed since, nobody knows what was compiled
 */
export function writeRecord(addon: string, sources: string): void {
  if (sourcesDigest() !== sources)
    throw new Error(`the sources of ${addon} changed while it was built`);
  const path = join(ROOT, addon);
  const record: BuildRecord = {
    version: readManifest().version,
    commit: git("rev-parse", "HEAD") ?? process.env.GITHUB_SHA ?? null,
    sources,
    addon: digestOf(path),
    cuda: holdsKernels(path),
  };
  writeFileSync(recordOf(path), `${JSON.stringify(record, null, 2)}\n`);
}

/** What keeps an addon from being of these sources, one sentence each. */
export function objectionsToRecord(addon: string, sources: string, root: string = ROOT): string[] {
  const path = join(root, addon);
  if (!existsSync(recordOf(path))) {
    return [`${addon} has no record of what it was built from: npm run build:prebuilds writes it`];
  }
  const record = JSON.parse(readFileSync(recordOf(path), "utf8")) as BuildRecord;
  const { version } = readManifest();
  const objections: string[] = [];
  const from = record.commit === null ? "" : ` (of ${record.commit.slice(0, 12)})`;
  if (record.version !== version)
    objections.push(`is of version ${record.version}, not ${version}`);
  if (record.sources !== sources) objections.push(`was built from other sources${from}`);
  if (record.addon !== digestOf(path)) objections.push("is not the file that was built");
  return objections.map((what) => `${addon} ${what}: npm run build:prebuilds renews it`);
}

/** What git prints; undefined where there is none, or it refuses. */
export function git(...args: readonly string[]): string | undefined {
  const env = { ...process.env, GIT_TERMINAL_PROMPT: "0" };
  const { status, stdout } = spawnSync("git", args, { cwd: ROOT, encoding: "utf8", env });
  return status === 0 ? stdout.trimEnd() : undefined;
}

function filesOf(root: string, name: string): string[] {
  if (name.includes(".")) return [name];
  return readdirSync(join(root, name), { recursive: true, encoding: "utf8" }).map(
    (path) => `${name}/${path.replaceAll("\\", "/")}`,
  );
}

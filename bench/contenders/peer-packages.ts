/** Engines that only the benchmark needs: packages of `bench/peers/`, which a clone has when it first compares. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const folder = fileURLToPath(new URL("../peers", import.meta.url));
const require = createRequire(`${folder}/package.json`);

/** A package of `bench/peers/`, as the few of its functions that the caller declares. */
export function peerPackage<T>(name: string): T {
  return require(name) as T;
}

/** The version that is installed, or undefined. */
export function installedVersion(name: string): string | undefined {
  try {
    return versionIn(`${folder}/node_modules/${name}/package.json`);
  } catch {
    return undefined;
  }
}

/** Undefined where the version that `bench/peers/package.json` wants is installed, else what to do. */
export function notInstalled(name: string): string | undefined {
  if (installedVersion(name) === wanted()[name]) return undefined;
  return "not installed: npm ci --prefix bench/peers --ignore-scripts";
}

/**
 * Installs what is missing of `bench/peers/` (about 300 MB, most of them ONNX Runtime's binaries for other systems), and
 * says so. No install script runs: ONNX Runtime's would fetch CUDA. A failure is said too; its peers are absent then.
 */
export async function installPeers(say: (line: string) => void): Promise<void> {
  if (!Object.keys(wanted()).some(notInstalled)) return;
  const arguments_ = ["ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund"];
  say("installing the peers' packages: npm ci --prefix bench/peers --ignore-scripts");
  try {
    await promisify(execFile)("npm", arguments_);
  } catch (error) {
    say(`the peers' packages could not be installed: ${(error as Error).message.split("\n")[0]}`);
  }
}

function wanted(): Readonly<Record<string, string>> {
  return JSON.parse(readFileSync(`${folder}/package.json`, "utf8")).dependencies;
}

function versionIn(path: string): string {
  return JSON.parse(readFileSync(path, "utf8")).version;
}

/** What was measured, and on what. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { info } from "../lib/index.js";
import type { Machine } from "./result.js";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

export function machine(versions: Readonly<Record<string, string>>): Machine {
  const { isa, compiler } = info();
  return {
    cpu: cpuName(),
    processors: cpus().length,
    isa,
    memoryBytes: totalmem(),
    node: process.version,
    compiler,
    versions,
  };
}

/** Its model name; clouds hide the number behind it, so Linux's family and model come with it. */
function cpuName(): string {
  const name = cpus()[0]?.model.trim() || "unknown processor";
  const field = (key: string) => new RegExp(`^${key}\\s*: (.+)$`, "m").exec(cpuinfo())?.[1];
  const [family, model] = [field("cpu family"), field("model")];
  return family && model ? `${name} (family ${family}, model ${model})` : name;
}

function cpuinfo(): string {
  try {
    return readFileSync("/proc/cpuinfo", "utf8");
  } catch {
    return "";
  }
}

/** Short hash of the commit that was measured, with a "+" where files differ from it. */
export function commit(): string {
  const git = (...args: string[]) =>
    execFileSync("git", args, {
      cwd: ROOT,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  try {
    return `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain") ? "+" : ""}`;
  } catch {
    return "unknown";
  }
}

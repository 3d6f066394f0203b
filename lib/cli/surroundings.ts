/** What `papo info` knows without an addon: the package, the runtime and the platform. */
import { PLATFORM } from "../addon/candidates.js";
import { type Libc, libcOfProcess } from "../addon/libc.js";
import { version } from "../index.js";
import type { Cell } from "./terminal.js";

export interface Surroundings {
  readonly version: string;
  readonly node: string;
  /** What stands in for Node, as `Bun 1.4.5`. */
  readonly runtime?: string;
  readonly platform: string;
  /** On Linux. */
  readonly libc?: Libc;
}

export function surroundings(): Surroundings {
  const libc = libcOfProcess();
  const runtime = runtimeOf(process.versions);
  const { version: node } = process;
  return { version, node, ...(runtime && { runtime }), platform: PLATFORM, ...(libc && { libc }) };
}

/** A runtime that is not Node but says a version of it, which is the Node that it is like. */
export function runtimeOf({
  bun,
  deno,
}: Readonly<Record<string, string | undefined>>): string | undefined {
  if (bun !== undefined) return `Bun ${bun}`;
  return deno === undefined ? undefined : `Deno ${deno}`;
}

export function showSurroundings(known: Surroundings): Cell[][] {
  const { version, node, runtime, platform, libc } = known;
  const like = runtime === undefined ? node : `${node} (${runtime})`;
  return [
    [{ text: "papo", style: "bold" }, version],
    [{ text: "node", style: "bold" }, [like, platform, ...(libc ? [libc] : [])].join(", ")],
  ];
}

/** What `papo info` knows without an addon: the package, the runtime and the platform. */
import { PLATFORM } from "../addon/candidates.js";
import { type Libc, libcOfProcess } from "../addon/libc.js";
import { version } from "../index.js";
import type { Cell } from "./terminal.js";

export interface Surroundings {
  readonly version: string;
  readonly node: string;
  readonly platform: string;
  /** On Linux. */
  readonly libc?: Libc;
}

export function surroundings(): Surroundings {
  const libc = libcOfProcess();
  return { version, node: process.version, platform: PLATFORM, ...(libc && { libc }) };
}

export function showSurroundings({ version, node, platform, libc }: Surroundings): Cell[][] {
  return [
    [{ text: "papo", style: "bold" }, version],
    [{ text: "node", style: "bold" }, [node, platform, ...(libc ? [libc] : [])].join(", ")],
  ];
}

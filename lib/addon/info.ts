/** What is loaded: the package's version, and the addon's own account of itself. */
import type { LoadAttempt } from "./attempt.js";
import type { NativeInfo } from "./binding.js";
import { addon } from "./load.js";

export { version } from "./package-root.js";

/** The addon's account of itself, and the file it came from. */
export interface Info extends NativeInfo {
  /** Absolute path of the `papo.node` that was loaded. */
  readonly path: string;
  /** Files that would have been taken before it, and why they were not: none there, damaged, built for another system. */
  readonly attempts: readonly LoadAttempt[];
}

/** Loads the addon if need be and says what it is: instruction set, threads, devices, ops. Throws where none loads. */
export function info(): Info {
  const { binding, path, attempts } = addon();
  return { ...binding.info(), path, attempts };
}

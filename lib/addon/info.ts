/** What is loaded: the package's version, and the addon's own account of itself. */
import { readFileSync } from "node:fs";
import type { NativeInfo } from "./binding.js";
import { addon } from "./load.js";

/** Version of the package; that of the addon is `info().version`. */
export const version: string = (
  JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  }
).version;

/** The addon's account of itself, and the file it came from. */
export interface Info extends NativeInfo {
  readonly path: string;
}

/** Loads the addon if need be and says what it is: instruction set, threads, devices, ops. Throws where none loads. */
export function info(): Info {
  const { binding, path } = addon();
  return { ...binding.info(), path };
}

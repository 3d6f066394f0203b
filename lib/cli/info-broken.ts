/** `papo info` where no addon loads: what was tried, what was wrong with it, and what to do. */
import type { AddonError } from "../addon/load.js";
import { EXIT, failureOf } from "./exit.js";
import { showSurroundings, surroundings } from "./surroundings.js";
import { type Cell, type Terminal, writeError, writeJson, writeTable } from "./terminal.js";

/** Prints all that can be said without an addon, and one sentence on stderr. Returns the exit code. */
export function writeBroken(terminal: Terminal, error: AddonError, json: boolean): number {
  const known = surroundings();
  const { attempts, advice } = error;
  const { code, message } = failureOf(error);
  const exitCode = EXIT.unavailable;
  writeError(terminal, "papo info", `no addon for ${known.platform} loads`);
  if (json) {
    const document = { ...known, addon: null, attempts, advice };
    writeJson(terminal, { ...document, error: { code, message, exitCode } });
    return exitCode;
  }
  const section = (name: string, lines: readonly Cell[]): Cell[][] =>
    lines.map((line, i) => [i === 0 ? { text: name, style: "bold" } : "", line]);
  writeTable(terminal, "ll", [
    ...showSurroundings(known),
    ...section("addon", [{ text: "none that loads", style: "red" }]),
    ...section(
      "tried",
      attempts.map(({ path, reason }) => `${path}: ${reason}`),
    ),
    ...section("what to do", advice),
  ]);
  return exitCode;
}

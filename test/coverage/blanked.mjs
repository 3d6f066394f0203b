/** Loads modules of lib/ from build/coverage/blanked/, where their types are spaces: V8's offsets are the source's own. */
import { readFile } from "node:fs/promises";

const ROOT = new URL("../../", import.meta.url);
const LIB = new URL("lib/", ROOT).href;
const BLANKED = new URL("build/coverage/blanked/lib/", ROOT);

/** The blanked text of a module: of lib/ itself, or of a copy of it that a test has made and not changed. */
async function blankedOf(url) {
  const path = /^file:.*\/lib\/([^?]+\.ts)$/.exec(url)?.[1];
  if (path === undefined || url.includes("/node_modules/")) return undefined;
  try {
    const text = await readFile(new URL(path, BLANKED), "utf8");
    const isCopy = url.startsWith(LIB) || (await readFile(new URL(url), "utf8")).length === text.length;
    return isCopy ? text : undefined;
  } catch {
    return undefined;
  }
}

export async function load(url, context, nextLoad) {
  const source = await blankedOf(url);
  return source === undefined
    ? nextLoad(url, context)
    : { format: "module", source, shortCircuit: true };
}

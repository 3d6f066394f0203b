/** Loads modules of lib/ from build/coverage/blanked/, where their types are spaces: V8's offsets are the source's own. */
import { readFile } from "node:fs/promises";

const ROOT = new URL("../../", import.meta.url);
const LIB = new URL("lib/", ROOT).href;
const BLANKED = new URL("build/coverage/blanked/lib/", ROOT);

export async function load(url, context, nextLoad) {
  if (!url.startsWith(LIB) || !url.endsWith(".ts")) return nextLoad(url, context);
  const source = await readFile(new URL(url.slice(LIB.length), BLANKED), "utf8");
  return { format: "module", source, shortCircuit: true };
}

/** Looks for an addon in package roots and prints what came of each as a line of JSON. Argument: the roots, as JSON. */
import { AddonError, findAddon } from "../../lib/addon/load.js";
import type { Search } from "./in-load-child.js";

const [searches = "[]", user = ""] = process.argv.slice(2);
if (user !== "") process.seteuid?.(Number(user));
for (const { root, explicit = "" } of JSON.parse(searches) as Search[]) {
  try {
    const { path, attempts } = findAddon({ PAPO_ADDON_PATH: explicit }, root);
    console.log(JSON.stringify({ path, attempts }));
  } catch (error) {
    if (!(error instanceof AddonError)) throw error;
    const { code, message, attempts, advice } = error;
    console.log(JSON.stringify({ code, message, attempts, advice }));
  }
}

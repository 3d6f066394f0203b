/** The repository's own files, as the architecture tests read them. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));

/** Paths of all files below `folder` (relative to the root, "/" between parts), sorted; none if it does not exist. */
export function filesBelow(folder: string): string[] {
  try {
    return readdirSync(`${ROOT}${folder}`, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => `${entry.parentPath}/${entry.name}`.slice(ROOT.length).replaceAll("\\", "/"))
      .filter((path) => !path.includes("node_modules/"))
      .sort();
  } catch {
    return [];
  }
}

export function read(path: string): string {
  return readFileSync(`${ROOT}${path}`, "utf8");
}

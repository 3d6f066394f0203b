/** Where the package lies, and its manifest. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

interface Manifest {
  readonly name: string;
  readonly version: string;
}

/** This file; a bundler that writes CommonJS leaves `import.meta` empty. */
const HERE: string = import.meta.url ?? pathToFileURL(__filename).href;

/** Loads CommonJS modules and addons; said here, so that no declaration speaks of Node's types. */
export const requireHere: { (path: string): unknown; resolve(name: string): string } =
  createRequire(HERE);

/**
 * The package's root: this file lies two levels below it, in `lib/` as in `dist/`. In a bundle it lies elsewhere, and
 * the package is where the bundle would import it from; the bundle's own folder, or its executable's, where it could not.
 */
export const PACKAGE_ROOT: string = packageRoot();

/** Version of the package; `"unknown"` in a bundle that left the package behind. */
export const version: string = manifestIn(PACKAGE_ROOT)?.version ?? "unknown";

/** The manifest in `root`, if papo lies there. */
export function manifestIn(root: string): Manifest | undefined {
  try {
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;
    return manifest.name === "papo" ? manifest : undefined;
  } catch {
    return undefined;
  }
}

function packageRoot(): string {
  const above = fileURLToPath(new URL("../..", HERE));
  if (manifestIn(above)) return above;
  const bundle = bundleOf(fileURLToPath(HERE), process.execPath);
  try {
    return dirname(createRequire(bundle).resolve("papo/package.json"));
  } catch {
    return dirname(bundle);
  }
}

/** A bundle's file on the disk: Bun's executables carry theirs in a file system that nobody else can put anything into. */
export function bundleOf(here: string, executable: string): string {
  return /^(?:\/\$bunfs|[A-Z]:[\\/]~BUN)[\\/]/.test(here) ? executable : here;
}

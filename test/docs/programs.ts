/** Code blocks of Markdown pages, and programs among them: run as printed, with the library and its peers as installed. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { DOORS } from "../../docs/site/pages.js";

export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));

/** What makes Node read TypeScript, from any folder. */
export const LOADER: string = pathToFileURL(
  createRequire(join(ROOT, "package.json")).resolve("tsx"),
).href;

export interface Block {
  /** What stands behind the backticks, up to the first space. */
  readonly language: string;
  /** The file that the block is a piece of, where it says one. */
  readonly file: string | undefined;
  readonly code: string;
  /** Of its first line in the page. */
  readonly line: number;
}

/** Every code block of a page, in order. */
export function blocksOf(path: string): Block[] {
  const page = readFileSync(join(ROOT, path), "utf8");
  return [...page.matchAll(/^```(\w+)(?: file=(\S+))?\n(.*?)^```$/gms)].map((match) => {
    const [, language = "", file, code = ""] = match;
    return { language, file, code, line: page.slice(0, match.index).split("\n").length + 1 };
  });
}

/** The programs of a page, without pieces of files. */
export function programsOf(path: string, language = "ts"): string[] {
  const own = blocksOf(path).filter((block) => block.language === language && !block.file);
  return own.map(({ code }) => code);
}

/** What the comments of a program say that it prints. */
export function promised(code: string): string[] {
  return [...code.matchAll(/^ *console\.log\(.*\); \/\/ (.*)$/gm)].map(
    ([, text]) => text as string,
  );
}

/** What a program imports. */
export function importsOf(code: string): string[] {
  return [...code.matchAll(/^(?:import|} from|import .* from) "([^"]+)";/gm)].map(
    ([, name]) => name as string,
  );
}

/** Where what a program imports lies; undefined where a package is not installed. */
export function locate(name: string): string | undefined {
  if (DOORS[name] !== undefined) return join(ROOT, DOORS[name]);
  // The whole of TensorFlow.js is its core, with gradients, which the program is given.
  const package_ = name === "@tensorflow/tfjs" ? "@tensorflow/tfjs-core" : name;
  for (const folder of [ROOT, join(ROOT, "bench/peers/")]) {
    try {
      return createRequire(join(folder, "package.json")).resolve(package_);
    } catch {}
  }
  return undefined;
}

const GRADIENTS = `import { createRequire } from "node:module";
createRequire(${JSON.stringify(join(ROOT, "package.json"))})("@tensorflow/tfjs-core/dist/register_all_gradients");
`;

/** The lines that a program prints; it runs in `folder`, or in one of its own. */
export async function printed(code: string, folder?: string): Promise<string[]> {
  const own = folder ?? mkdtempSync(join(tmpdir(), "papo-docs-"));
  try {
    const located = code.replace(/((?:from|import) )"([^"]+)"/g, (whole, word, name) => {
      const path = name.startsWith("node:") ? undefined : locate(name);
      return path === undefined ? whole : `${word}"${pathToFileURL(path).href}"`;
    });
    const file = join(own, "program.mts");
    writeFileSync(file, code.includes('"@tensorflow/tfjs') ? GRADIENTS + located : located);
    const run = promisify(execFile)(process.execPath, [`--import=${LOADER}`, file], { cwd: own });
    return (await run).stdout.trimEnd().split("\n");
  } finally {
    if (folder === undefined) rmSync(own, { recursive: true });
  }
}

/** What tests come by, kept between runs: a test file is run again only where it or what it runs on has changed. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { filesBelow, ROOT } from "../structure/files.js";

export interface LearnedTest {
  readonly title: string;
  /** With all mutants off; who fails there is no judge. */
  readonly passed: boolean;
  /** Of a processor. */
  readonly ms: number;
  /** How many switches of TypeScript it asks. */
  readonly steps: number;
  /** Mutants that it comes by. */
  readonly reached: readonly number[];
}

interface OfFile {
  readonly key: string;
  readonly tests: readonly LearnedTest[];
}

interface Stored {
  /** Of all that every test runs on. */
  readonly common: string;
  readonly atLoad: readonly number[];
  readonly files: Readonly<Record<string, OfFile>>;
}

export class Learned {
  readonly #path: string;
  readonly #common: string;
  readonly #keys: ReadonlyMap<string, string>;
  readonly #known: Map<string, OfFile>;
  /** What is computed when modules are loaded. */
  readonly atLoad: Set<number>;

  /** @param sources  what identifies the instrumented code @param tests  paths of the test files that judge */
  constructor(path: string, sources: string, tests: readonly string[]) {
    this.#path = path;
    const helpers = filesBelow("test/").filter(
      (file) => /\.(ts|json|safetensors)$/.test(file) && !/\.test\.ts$|^test\/mutation/.test(file),
    );
    const common = digest([sources, ...helpers.map(contents)]);
    this.#common = common;
    this.#keys = new Map(tests.map((file) => [file, digest([common, contents(file)])]));
    const { atLoad, files } = this.#stored(common);
    this.atLoad = new Set(atLoad);
    this.#known = new Map(Object.entries(files));
  }

  #stored(common: string): Stored {
    try {
      const stored: Stored = JSON.parse(readFileSync(this.#path, "utf8"));
      if (stored.common === common) return stored;
    } catch {
      // There is none, or a broken one.
    }
    return { common, atLoad: [], files: {} };
  }

  #store(): void {
    const { atLoad } = this;
    const files = Object.fromEntries(this.#known);
    const stored: Stored = { common: this.#common, atLoad: [...atLoad], files };
    writeFileSync(this.#path, JSON.stringify(stored));
  }

  /** Test files that are still to be run. */
  get unknown(): string[] {
    return [...this.#keys]
      .filter(([file, key]) => this.#known.get(file)?.key !== key)
      .map(([f]) => f);
  }

  add(file: string, tests: readonly LearnedTest[]): void {
    this.#known.set(file, { key: this.#keys.get(file) as string, tests });
    this.#store();
  }

  get tests(): (LearnedTest & { readonly file: string })[] {
    return [...this.#keys.keys()].flatMap((file) =>
      (this.#known.get(file)?.tests ?? []).map((test) => ({ ...test, file })),
    );
  }
}

function contents(file: string): string {
  return readFileSync(`${ROOT}${file}`, "latin1");
}

export function digest(parts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest("hex");
}

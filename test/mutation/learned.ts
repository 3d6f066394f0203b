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

export class Learned {
  readonly #path: string;
  readonly #keys: ReadonlyMap<string, string>;
  readonly #known: Map<string, OfFile>;

  /** @param sources  what identifies the instrumented code @param tests  paths of the test files that judge */
  constructor(path: string, sources: string, tests: readonly string[]) {
    this.#path = path;
    const helpers = filesBelow("test/").filter(
      (file) => /\.(ts|json|safetensors)$/.test(file) && !/\.test\.ts$|^test\/mutation/.test(file),
    );
    const common = digest([sources, ...helpers.map(contents)]);
    this.#keys = new Map(tests.map((file) => [file, digest([common, contents(file)])]));
    this.#known = new Map(this.#stored());
  }

  #stored(): [string, OfFile][] {
    try {
      const all: Record<string, OfFile> = JSON.parse(readFileSync(this.#path, "utf8"));
      return Object.entries(all).filter(([file, { key }]) => this.#keys.get(file) === key);
    } catch {
      return [];
    }
  }

  /** Test files that are still to be run. */
  get unknown(): string[] {
    return [...this.#keys.keys()].filter((file) => !this.#known.has(file));
  }

  add(file: string, tests: readonly LearnedTest[]): void {
    this.#known.set(file, { key: this.#keys.get(file) as string, tests });
    writeFileSync(this.#path, JSON.stringify(Object.fromEntries(this.#known)));
  }

  get tests(): (LearnedTest & { readonly file: string })[] {
    return [...this.#known].flatMap(([file, { tests }]) =>
      tests.map((test) => ({ ...test, file })),
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

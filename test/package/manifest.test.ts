/** The packed tarball under the eyes of publint and are-the-types-wrong. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { type Message, publint } from "publint";
import { formatMessage } from "publint/utils";
import { packed, ROOT } from "./support/pack.js";

/**
 * Ways to resolve that papo does not serve, as the profile "esm-only" of are-the-types-wrong has it: node10 knows no
 * `exports` and is gone from TypeScript 7, and to `require` the modules is Node's affair (20.19, 22.12), not the types'.
 */
const NOT_SERVED: ReadonlySet<string> = new Set(["node10", "node16-cjs"]);

interface Analysis {
  readonly problems: readonly { readonly kind: string; readonly resolutionKind?: string }[];
  readonly resolutions: readonly {
    readonly subpath: string;
    readonly resolutionKind: string;
    readonly types?: string;
    readonly implementation?: string;
  }[];
}

test("publint has nothing to say, not even as a suggestion", async (t) => {
  const bytes = readFileSync(packed().path);
  const tarball = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
  const sentences = messages.map((message: Message) =>
    formatMessage(message, pkg, { color: false }),
  );
  t.deepEqual(sentences, []);
});

test("are-the-types-wrong finds every door with types and code, and nothing wrong for those who import", (t) => {
  const program = join(ROOT, "test", "package", "support", "types-wrong.mjs");
  const output = execFileSync(process.execPath, [program, packed().path], { encoding: "utf8" });
  const { problems, resolutions } = JSON.parse(output) as Analysis;
  const served = ({ resolutionKind = "" }) => !NOT_SERVED.has(resolutionKind);
  t.deepEqual(problems.filter(served), []);

  const { exports } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    exports: Record<string, string | { types: string; default: string }>;
  };
  const doors = Object.entries(exports).flatMap(([subpath, entry]) =>
    typeof entry === "string" ? [] : [[subpath, entry.types, entry.default]],
  );
  const root = "/node_modules/papo/";
  for (const kind of ["node16-esm", "bundler"]) {
    const found = resolutions
      .filter(
        ({ subpath, resolutionKind }) => resolutionKind === kind && subpath !== "./package.json",
      )
      .map(({ subpath, types = "", implementation = "" }) => [
        subpath,
        ...[types, implementation].map((path) => path.replace(root, "./")),
      ]);
    t.deepEqual(found, doors, kind);
  }
});

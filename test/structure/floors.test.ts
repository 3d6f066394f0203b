/** Imports go down only, in both trees: every `import` and every `#include "…"` is read. */
import { existsSync } from "node:fs";
import { dirname, posix } from "node:path";
import test from "ava";
import { filesBelow, ROOT, read } from "./files.js";
import { type Edge, objection } from "./floors.js";

/** Every specifier that `source` imports or re-exports, statically, dynamically or as a type. */
function importsOf(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, "");
  const specifier = /\b(?:from|import)\s*\(?\s*["']([\w@./:-]+)["']/g;
  return [...code.matchAll(specifier)].map((match) => match[1] as string);
}

function includesOf(source: string): string[] {
  return [...source.matchAll(/^[ \t]*#[ \t]*include[ \t]*"([^"]+)"/gm)].map((m) => m[1] as string);
}

const libFiles = filesBelow("lib").filter((path) => path.endsWith(".ts"));
const nativeFiles = filesBelow("native").filter((path) => /\.(cpp|hpp|cu|cuh)$/.test(path));

const libEdges: Edge[] = libFiles.flatMap((file) =>
  importsOf(read(file))
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => ({ file, target: posix.join(dirname(file), specifier) })),
);

/** Includes are written from `native/`; one beside the file is found there first, as the compiler does. */
const nativeEdges: Edge[] = nativeFiles.flatMap((file) =>
  includesOf(read(file)).map((include) => {
    const beside = posix.join(dirname(file), include);
    return { file, target: existsSync(`${ROOT}${beside}`) ? beside : `native/${include}` };
  }),
);

function objections(edges: readonly Edge[]): string[] {
  return edges.flatMap((edge) => {
    const why = objection(edge);
    return why === undefined ? [] : [`${edge.file} → ${edge.target}: ${why}`];
  });
}

test("lib imports go down only", (t) => {
  t.true(libEdges.length > 20, "the reader found the imports");
  t.deepEqual(objections(libEdges), []);
});

test("native includes go down only", (t) => {
  t.true(nativeEdges.length > 20, "the reader found the includes");
  t.deepEqual(objections(nativeEdges), []);
});

test("every quoted include names a file of this repository", (t) => {
  t.deepEqual(
    nativeEdges.filter(({ target }) => !existsSync(`${ROOT}${target}`)),
    [],
  );
});

test("napi.h stays in addon and the CUDA headers stay in cuda", (t) => {
  const strangers = nativeFiles.filter((file) => {
    const includes = [...read(file).matchAll(/^[ \t]*#[ \t]*include[ \t]*<([^>]+)>/gm)].map(
      (m) => m[1],
    );
    return includes.some(
      (name) =>
        (/napi\.h$|node_api\.h$|uv\.h$/.test(name as string) &&
          !file.startsWith("native/addon/")) ||
        (/^cuda/.test(name as string) && !file.startsWith("native/cuda/")),
    );
  });
  t.deepEqual(strangers, []);
});

test("only the cli and the adapters import packages", (t) => {
  const strangers = libFiles
    .filter((file) => !/^lib\/(cli|adapters)\//.test(file))
    .filter((file) => importsOf(read(file)).some((specifier) => !/^(\.|node:)/.test(specifier)));
  t.deepEqual(strangers, []);
});

test("only lib/addon opens a .node file", (t) => {
  const strangers = libFiles
    .filter((file) => !file.startsWith("lib/addon/"))
    .filter((file) => /\bcreateRequire\b|\bdlopen\b/.test(read(file)));
  t.deepEqual(strangers, []);
});

test("examples use the public door", (t) => {
  const strangers = filesBelow("examples")
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) =>
      importsOf(read(file)).map((specifier) => posix.join(dirname(file), specifier)),
    )
    .filter((target) => target.startsWith("lib/") && target !== "lib/index.js");
  t.deepEqual(strangers, []);
});

// The reader and the rule, on edges that must not exist.

test("the reader sees every form of import", (t) => {
  const source = [
    'import { a } from "./a.js";',
    'import type { B } from "../b.js";',
    'export * from "./c.js";',
    'import "./d.js";',
    'const e = await import("./e.js");',
    "import {\n  f,\n} from './f.js';",
    '/** import { no } from "./no.js" */',
  ].join("\n");
  t.deepEqual(importsOf(source), ["./a.js", "../b.js", "./c.js", "./d.js", "./e.js", "./f.js"]);
  t.deepEqual(includesOf('#include <vector>\n  # include "core/half.hpp"\n'), ["core/half.hpp"]);
});

const forbidden: Record<string, Edge> = {
  "core → tensor": { file: "lib/core/shape.ts", target: "lib/tensor/tensor.js" },
  "ops → functional": { file: "lib/ops/papo-loss.ts", target: "lib/functional/papo.js" },
  "functional → io": { file: "lib/functional/papo.ts", target: "lib/io/safetensors.js" },
  "objective → index": { file: "lib/objective/builder.ts", target: "lib/index.js" },
  "ops → reference": { file: "lib/ops/papo-loss.ts", target: "lib/reference/index.js" },
  "reference → tensor": { file: "lib/reference/papo-loss.ts", target: "lib/tensor/tensor.js" },
  "core → a room without a floor": { file: "lib/core/shape.ts", target: "lib/attic/trunk.js" },
  "cpu → cuda": { file: "native/cpu/backend.cpp", target: "native/cuda/backend.hpp" },
  "ops → cpu": { file: "native/ops/registry.cpp", target: "native/cpu/backend.hpp" },
  "math → core": { file: "native/math/surrogate.hpp", target: "native/core/half.hpp" },
  "device → ops": { file: "native/cuda/device/reduce.cuh", target: "native/ops/op_spec.hpp" },
};

for (const [title, edge] of Object.entries(forbidden)) {
  test(`forbidden: ${title}`, (t) => t.is(typeof objection(edge), "string"));
}

const allowed: Record<string, Edge> = {
  "ops → autograd": { file: "lib/ops/papo-loss.ts", target: "lib/autograd/tape.js" },
  "within a room": { file: "lib/io/safetensors.ts", target: "lib/io/header.js" },
  "cli → index": { file: "lib/cli/main.ts", target: "lib/index.js" },
  "reference → core": { file: "lib/reference/papo-loss.ts", target: "lib/core/errors.js" },
  "device → math": { file: "native/cuda/device/row.cuh", target: "native/math/surrogate.hpp" },
  "cuda → device": { file: "native/cuda/papo_loss.cu", target: "native/cuda/device/row.cuh" },
  "addon → cpu": { file: "native/addon/addon.cpp", target: "native/cpu/backend.hpp" },
};

for (const [title, edge] of Object.entries(allowed)) {
  test(`allowed: ${title}`, (t) => t.is(objection(edge), undefined));
}

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
  includesOf(read(file)).map((include) => ({ file, target: targetOf(file, include) })),
);

/** The shim that stands in for a GPU lies with the tests; `native/` knows it by one include. */
function targetOf(file: string, include: string): string {
  const beside = posix.join(dirname(file), include);
  if (existsSync(`${ROOT}${beside}`)) return beside;
  return include.startsWith("shim/") ? `test/native/${include}` : `native/${include}`;
}

function systemIncludesOf(source: string): string[] {
  return [...source.matchAll(/^[ \t]*#[ \t]*include[ \t]*<([^>]+)>/gm)].map((m) => m[1] as string);
}

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
  const strangers = nativeFiles.filter((file) =>
    systemIncludesOf(read(file)).some(
      (name) =>
        (/napi\.h$|node_api\.h$|uv\.h$/.test(name) && !file.startsWith("native/addon/")) ||
        (/^cuda/.test(name) && !file.startsWith("native/cuda/")),
    ),
  );
  t.deepEqual(strangers, []);
});

test("what other rooms include of cuda is free of CUDA, so that the null backend can stand in", (t) => {
  const reached = new Set(
    nativeEdges
      .filter(
        ({ file, target }) => !file.startsWith("native/cuda/") && /^native\/cuda\//.test(target),
      )
      .map(({ target }) => target),
  );
  t.true(reached.has("native/cuda/backend.hpp"), "the reader found the door");
  for (const header of reached) {
    for (const { file, target } of nativeEdges) if (file === header) reached.add(target);
  }
  const withCuda = (file: string) =>
    systemIncludesOf(read(file)).some((name) => /^cuda/.test(name));
  t.deepEqual([...reached].filter(withCuda), []);
});

// What lets the shim run the kernels' own sources.

test("only dev.cuh includes the shim, and CUDA code includes one header of CUDA", (t) => {
  const includers = nativeFiles.filter((file) => {
    const source = read(file);
    return [...includesOf(source), ...systemIncludesOf(source)].some((name) =>
      /^shim\//.test(name),
    );
  });
  t.deepEqual(includers, ["native/cuda/device/dev.cuh"]);
  const headers = nativeFiles.flatMap((file) => systemIncludesOf(read(file)));
  const ofCuda = headers.filter((name) => /^(cuda|cooperative_groups|mma|nv)/.test(name));
  t.deepEqual([...new Set(ofCuda)], ["cuda_runtime.h"]);
});

/** What C++ has no word for; comments are taken out first. */
function foreignWordsOf(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
  const words =
    /\basm\b|<<<|\b__(?:shared|syncthreads|syncwarp|shfl_\w+|activemask|ldg|ldcs|stcs|threadfence\w*|nanosleep)(?:__)?\b/g;
  return [...code.matchAll(words)].map(([word]) => word);
}

test("intrinsics and assembly stay in dev.cuh", (t) => {
  t.deepEqual(foreignWordsOf('x = __shfl_xor_sync(m, x, 1); asm volatile(""); k<<<1, 2>>>();'), [
    "__shfl_xor_sync",
    "asm",
    "<<<",
  ]);
  t.deepEqual(foreignWordsOf("__shared__ float a; // asm\n/* __syncthreads */ int b;"), [
    "__shared__",
  ]);
  const strangers = nativeFiles
    .filter((file) => file.startsWith("native/cuda/") && file !== "native/cuda/device/dev.cuh")
    .filter((file) => foreignWordsOf(read(file)).length > 0);
  t.deepEqual(strangers, []);
});

test("only the cli and the adapters import packages", (t) => {
  const strangers = libFiles
    .filter((file) => !/^lib\/(cli|adapters)\//.test(file))
    .filter((file) => importsOf(read(file)).some((specifier) => !/^(\.|node:)/.test(specifier)));
  t.deepEqual(strangers, []);
});

test("a package that may be missing is loaded in one file", (t) => {
  const named = (file: string) => /\bimport\(\s*(?!["'])/.test(read(file));
  t.deepEqual(libFiles.filter(named), ["lib/masking/image-file.ts"]);
});

test("only lib/addon opens a .node file", (t) => {
  const strangers = libFiles
    .filter((file) => !file.startsWith("lib/addon/"))
    .filter((file) => /\bcreateRequire\b|\bdlopen\b/.test(read(file)));
  t.deepEqual(strangers, []);
});

/** What the package exports to users; each is one file. */
const DOORS = [
  "lib/index.js",
  "lib/masking/index.js",
  "lib/monitor/index.js",
  "lib/adapters/tfjs.js",
];

test("examples use the public doors", (t) => {
  const strangers = filesBelow("examples")
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) =>
      importsOf(read(file)).map((specifier) => posix.join(dirname(file), specifier)),
    )
    .filter((target) => target.startsWith("lib/") && !DOORS.includes(target));
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
  "device → its launchers": {
    file: "native/cuda/device/row.cuh",
    target: "native/cuda/kernels.hpp",
  },
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
  "device → the shim": {
    file: "native/cuda/device/dev.cuh",
    target: "test/native/shim/dev.hpp",
  },
  "cuda → device": { file: "native/cuda/papo_loss.cu", target: "native/cuda/device/row.cuh" },
  "addon → cpu": { file: "native/addon/addon.cpp", target: "native/cpu/backend.hpp" },
};

for (const [title, edge] of Object.entries(allowed)) {
  test(`allowed: ${title}`, (t) => t.is(objection(edge), undefined));
}

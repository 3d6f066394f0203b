/** What the shipped code can reach: the modules of Node.js that it imports, file by file, and nothing else of the outside. */
import test, { type TestFn } from "ava";
import { filesBelow, read } from "./files.js";
import { reachOf } from "./reach.js";

/** Names from modules that reach outside of the process, by file; whoever adds one has a reason, and SECURITY.md says so. */
const REACH: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "addon/binary-file": { "node:fs": "closeSync lstatSync openSync readSync readlinkSync statSync" },
  "addon/candidates": { "node:fs": "readdirSync" },
  "addon/elf": { "node:fs": "closeSync fstatSync openSync readSync" },
  "addon/package-root": { "node:fs": "readFileSync", "node:module": "createRequire" },
  "cli/build-addon": {
    "node:child_process": "spawn",
    "node:fs": "existsSync mkdirSync mkdtempSync renameSync rmSync",
  },
  "cli/build-tools": { "node:child_process": "spawnSync", "node:fs": "existsSync readFileSync" },
  "cli/loss": { "node:fs/promises": "realpath" },
  "core/new-file": {
    "node:fs": "rmSync",
    "node:fs/promises": "access constants lstat open readlink realpath rename stat unlink",
  },
  "core/read-only": { "node:fs": "constants" },
  "io/safetensors": { "node:fs/promises": "open stat" },
};

/** Modules that reach nothing: memory, text, facts of the machine. */
const HARMLESS = new Set([
  ...["node:async_hooks", "node:buffer", "node:crypto", "node:os", "node:path"],
  ...["node:timers/promises", "node:url", "node:util", "node:worker_threads", "commander"],
]);

/** Globals and members of `process`, by file. */
const NAMES: Readonly<Record<string, string>> = {
  "addon/load": "process.env",
  // Looks for Float16Array.
  "core/dtype": "globalThis",
  "core/typed-array": "globalThis",
  // sharp, which may be missing.
  "masking/image-file": "import()",
  // UV_THREADPOOL_SIZE.
  "addon/turns": "process.env",
  // Function.prototype's way of instanceof.
  "tensor/tensor": "Function",
};

/** A module from elsewhere, a computed one, or one of the names that `reachOf` notes. */
const SUSPECT =
  /(?:from|import)\s*["'](?!\.)|import\s*\(|require|eval|Function|fetch|WebSocket|EventSource|XMLHttp|WebAssembly|globalThis|process\.|shell/;

const trees = [
  ["lib", ".ts"],
  ["dist", ".js"],
] as const;
for (const [tree, ending] of trees) {
  const files = filesBelow(tree).filter((path) => path.endsWith(ending));
  const whenBuilt = (tree === "dist" && files.length === 0 ? test.skip : test) as TestFn;
  whenBuilt(
    `${tree} reaches nothing but what is listed: no network, no code from text, no shell`,
    (t) => {
      t.true(files.length > 200);
      const seen: Record<string, Record<string, string>> = {};
      const names: Record<string, string> = {};
      for (const path of files) {
        const text = read(path);
        // Most files have nothing of it, and need no syntax to say so.
        if (!SUSPECT.test(text)) continue;
        const file = path.slice(tree.length + 1, -ending.length);
        const reach = reachOf(path, text);
        for (const [module, what] of reach.imports) {
          if (module.startsWith(".") || HARMLESS.has(module)) continue;
          seen[file] = { ...seen[file], [module]: what.join(" ") };
        }
        if (reach.names.length > 0) names[file] = reach.names.join(" ");
      }
      t.deepEqual(seen, REACH);
      t.deepEqual(names, NAMES);
    },
  );
}

test("the reach of code is seen, however it is written", (t) => {
  const names = (text: string) => reachOf("x.ts", text).names.join(" ");
  const imports = (text: string) => [...reachOf("x.ts", text).imports].flat(2).join(" ");
  t.is(
    imports('import { a as b, type T } from "node:net"; import type { U } from "node:http";'),
    "node:net a",
  );
  t.is(
    imports('import * as x from "node:fs"; import "node:dns"; export * from "node:tls";'),
    "node:fs * node:dns * node:tls *",
  );
  t.is(imports('const x = await import("node:http");'), "node:http *");
  t.is(names("await import(name)"), "import()");
  t.is(names('eval("1"); new Function("a"); Function("b"); fetch("c");'), "Function eval fetch");
  t.is(
    names("process.binding('fs'); process.env.HOME; spawn(a, { shell: true });"),
    "process.binding process.env shell:",
  );
  t.is(names("file.fetch(); const x = { eval: 1 }; // eval, fetch\nlet y: Function;"), "");
});

/** What C++ must not call: processes, sockets, files, libraries by name. Members may have such names. */
const FORBIDDEN =
  /(?<![\w.>:] ?)(?:system|popen|v?fork|exec[lv]p?e?|posix_spawnp?|socket|connect|dlopen|dlsym|LoadLibrary\w*|fopen|freopen|openat|creat|unlink|CreateFile\w*|CreateProcess\w*)\s*\(|(?:(?<!\w)|\bstd)::(?:system|rename|fopen|open|send)\s*\(/;
const HEADERS =
  /#\s*include\s*<(?:fstream|filesystem|iostream|dlfcn\.h|sys\/\w+\.h|netdb\.h|netinet\/\w+\.h|arpa\/\w+\.h|fcntl\.h|spawn\.h|windows\.h|winsock2?\.h)>/;

/** Functions of the process's own binary, by name: V8's, which holds the memory of an array. No library is opened. */
const LOOKED_UP: Readonly<Record<string, readonly string[]>> = {
  "native/addon/array_memory.cpp": [
    "#include <dlfcn.h>",
    "  void* const same_library = dlsym(RTLD_DEFAULT, kSameLibrary);",
    '  void* const function = dlsym(RTLD_DEFAULT, "_ZN2v811ArrayBuffer15GetBackingStoreEv");',
    '  void* const own_start = dlsym(RTLD_DEFAULT, "_ZN4node5StartEiPPc");',
  ],
};

test("the engine opens no file, no socket and no process, and reads two variables", (t) => {
  const isSource = (path: string) => /\.(?:cpp|hpp|cu|cuh)$/.test(path);
  const sources = filesBelow("native").filter((path) => isSource(path) && !/shim/.test(path));
  t.true(sources.length > 60);
  const variables: string[] = [];
  for (const path of sources) {
    const code = read(path).replaceAll(/\/\/.*$|\/\*[\s\S]*?\*\//gm, "");
    const lines = code.split("\n").filter((line) => FORBIDDEN.test(line) || HEADERS.test(line));
    t.deepEqual(lines, LOOKED_UP[path] ?? [], path);
    variables.push(...[...code.matchAll(/getenv\(([^)]*)\)/g)].map((match) => match[1] as string));
  }
  t.deepEqual(variables.sort(), ['"CUDA_VISIBLE_DEVICES"', '"PAPO_CPU_ISA"']);
});

/** Every helper has an owner, and no file outgrows a reader. */
import test from "ava";
import { filesBelow, read } from "./files.js";

const ROOMS = ["native", "lib", "test", "bench", "examples", "docs", "packaging"];
const OWNERLESS = new Set([
  "utils",
  "util",
  "helpers",
  "helper",
  "common",
  "types",
  "misc",
  "shared",
]);
const SOURCE = /\.(ts|mts|js|mjs|cpp|hpp|cu|cuh|h|inl)$/;
const MOST_LINES = 600;

const files = ROOMS.flatMap(filesBelow);

/** The part of a path that names no owner; `test/types/` holds tests of types and is a room. */
function ownerlessPart(path: string): string | undefined {
  const names = path.split("/").map((part) => part.replace(/\..*$/, ""));
  return names.find(
    (name, i) => OWNERLESS.has(name) && !(name === "types" && names[i - 1] === "test"),
  );
}

test("no folder and no file is called utils, helpers, common, types or misc", (t) => {
  t.is(ownerlessPart("lib/utils/clamp.ts"), "utils");
  t.is(ownerlessPart("native/cpu/common.hpp"), "common");
  t.is(ownerlessPart("test/types/public-api.ts"), undefined);
  t.deepEqual(files.filter(ownerlessPart), []);
});

test(`no source file is longer than ${MOST_LINES} lines`, (t) => {
  const long = files
    .filter((path) => SOURCE.test(path))
    .map((path) => ({ path, lines: read(path).split("\n").length - 1 }))
    .filter(({ lines }) => lines > MOST_LINES);
  t.deepEqual(long, []);
});

test("files are named in their language's way", (t) => {
  const typescript = files.filter((path) => path.endsWith(".ts"));
  const native = files.filter((path) => /\.(cpp|hpp|cu|cuh)$/.test(path));
  t.deepEqual(
    typescript.filter((path) => !/^[a-z0-9/.-]+$/.test(path)),
    [],
    "kebab-case.ts",
  );
  t.deepEqual(
    native.filter((path) => !/^[a-z0-9/._]+$/.test(path)),
    [],
    "snake_case.cpp",
  );
});

/** What is in the tarball: files of these kinds and no others, made from the sources as they are, of this size at most. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { packed, ROOT } from "./support/pack.js";

/** Every kind of file that belongs into the package, and whether it has to be there. */
const KINDS: readonly (readonly [kind: RegExp, needed: boolean])[] = [
  [/^(package\.json|README\.md|CHANGELOG\.md|SECURITY\.md|LICENSE|CMakeLists\.txt)$/, true],
  [/^(THIRD-PARTY-NOTICES\.txt|sbom\.cdx\.json)$/, true],
  [/^dist\/(?!cli\/)([a-z-]+\/)*[a-z0-9-]+\.(js|d\.ts)$/, true],
  // The command is no module for others: it needs no declarations.
  [/^dist\/cli\/[a-z-]+\.js$/, true],
  [/^native\/([a-z]+\/)+[a-z0-9_.]+\.(cpp|hpp|cu|cuh)$/, true],
  [/^third-party\/node-api\/([a-z_.-]+\.h|node_api\.def|LICENSE-[a-z-]+)$/, true],
  [/^prebuilds\/(linux|darwin|win32)-(x64|arm64)\/papo(\.glibc|\.musl)?\.node$/, true],
  // What each was built from (packaging/record.ts); an addon that was put there by hand has none.
  [/^prebuilds\/(linux|darwin|win32)-(x64|arm64)\/papo(\.glibc|\.musl)?\.json$/, false],
];

/** Bytes: the tarball; what is in it without addons, each of which has a limit of its own. */
const MOST_PACKED = 8_000_000;
const MOST_UNPACKED = 3_500_000;

const { files, size, unpackedSize } = packed();
const paths = files.map(({ path }) => path);

/** Text of a file in the tarball, whose first folder is `package/`. */
const inside = (path: string) =>
  execFileSync("tar", ["-xzOf", packed().path, `package/${path}`], {
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });

test("every file in the tarball is of a kind that belongs there, and every kind is there", (t) => {
  t.deepEqual(
    paths.filter((path) => !KINDS.some(([kind]) => kind.test(path))),
    [],
  );
  const absent = KINDS.filter(([kind, needed]) => needed && !paths.some((path) => kind.test(path)));
  t.deepEqual(absent, []);
});

test("what is compiled has its source still", (t) => {
  const compiled = paths.filter((path) => path.startsWith("dist/"));
  const sources = compiled.map((path) =>
    path.replace(/^dist\/(.*?)(\.d\.ts|\.js)$/, (_, name) => `lib/${name}.ts`),
  );
  t.true(sources.length > 100);
  t.deepEqual(
    [...new Set(sources)].filter((path) => !existsSync(join(ROOT, path))),
    [],
    "rm -rf dist && npm run build:lib",
  );
});

test("no file refers to a map, and none is there", (t) => {
  // Maps would name sources that the package has not; the compiled code is the source without its types.
  t.deepEqual(
    paths.filter((path) => path.endsWith(".map")),
    [],
  );
  const scripts = paths.filter((path) => /\.(js|d\.ts)$/.test(path));
  const text = execFileSync(
    "tar",
    ["-xzOf", packed().path, ...scripts.map((path) => `package/${path}`)],
    { encoding: "utf8", maxBuffer: 2 ** 26 },
  );
  t.true(text.length > 1e6);
  t.false(text.includes("sourceMappingURL"));
  t.false(text.includes(ROOT), "no file says where it was made");
});

test("what is made to be run says how, and nothing else is", (t) => {
  // The link that a package manager makes for the command is made runnable by it, whatever the mode in here.
  t.regex(inside("dist/cli/main.js"), /^#!\/usr\/bin\/env node\n/);
  const runnable = files.filter(({ mode }) => (mode & 0o111) !== 0).map(({ path }) => path);
  t.deepEqual(
    runnable.filter((path) => !/^(dist\/cli\/main\.js|.*\.node)$/.test(path)),
    [],
  );
});

test("the tarball is small enough", (t) => {
  const addons = files.filter(({ path }) => path.endsWith(".node"));
  const rest = unpackedSize - addons.reduce((sum, { size }) => sum + size, 0);
  t.log(`${size} bytes packed, at most ${MOST_PACKED}`);
  t.log(
    `${unpackedSize} bytes unpacked, ${rest} without ${addons.length} addons, at most ${MOST_UNPACKED}`,
  );
  t.true(size <= MOST_PACKED);
  t.true(rest <= MOST_UNPACKED);
});

/** The package as it is published: what is in it, and what its manifest promises. */
import { execFileSync } from "node:child_process";
import test from "ava";
import { ROOT, read } from "./files.js";

interface Manifest {
  readonly name: string;
  readonly gypfile: boolean;
  readonly bin: Record<string, string>;
  readonly exports: Record<string, string | Record<string, string>>;
  readonly scripts: Record<string, string>;
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
}

interface Lock {
  readonly packages: Record<string, { readonly optionalDependencies?: Record<string, string> }>;
}

const manifest = JSON.parse(read("package.json")) as Manifest;

test("nothing runs when the package is installed", (t) => {
  t.is(manifest.gypfile, false);
  // npm 11 and 12 warn of `prepare` where a tarball is a file or an address; a checkout builds itself by `dependencies`.
  const names = ["preinstall", "install", "postinstall", "prepare"];
  const hooks = names.filter((name) => name in manifest.scripts);
  t.deepEqual(hooks, []);
});

test("no script is a hook of another by accident", (t) => {
  const hooks = Object.keys(manifest.scripts).filter((name) => {
    const target = /^(?:pre|post)(.+)$/.exec(name)?.[1];
    return target !== undefined && target in manifest.scripts;
  });
  t.deepEqual(hooks, []);
});

test("every dependency is pinned, also under another name", (t) => {
  const loose = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(
    ([, version]) => !/^(npm:[@\w/]+@)?\d+\.\d+\.\d+$/.test(version),
  );
  t.deepEqual(loose, []);
});

test("tsc is the native compiler, beside the older one that TypeDoc reads the library with", (t) => {
  const version = (program: string) =>
    execFileSync(`${ROOT}node_modules/.bin/${program}`, ["--version"], { encoding: "utf8" }).trim();
  t.is(version("tsc"), `Version ${manifest.devDependencies["@typescript/native"]?.split("@")[1]}`);
  t.regex(version("tsc6"), /^Version 6\./);
});

test("the lock file knows every optional package of every platform", (t) => {
  // A registry that lacks one makes npm leave it out, and then `npm ci` refuses the lock file on every machine.
  const { packages } = JSON.parse(read("package-lock.json")) as Lock;
  const unknown = Object.values(packages)
    .flatMap(({ optionalDependencies = {} }) => Object.keys(optionalDependencies))
    .filter((name) => !Object.keys(packages).some((path) => path.endsWith(`node_modules/${name}`)));
  t.deepEqual(unknown, []);
});

test("types come first in every export", (t) => {
  const conditions = Object.values(manifest.exports).filter((entry) => typeof entry === "object");
  t.true(conditions.every((entry) => Object.keys(entry)[0] === "types"));
});

test("the tarball holds what the manifest names and what a build needs, and no tests", (t) => {
  const arguments_ = ["pack", "--dry-run", "--json", "--ignore-scripts"];
  const output = execFileSync("npm", arguments_, {
    cwd: ROOT,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  // npm 11 prints a list, npm 12 an object by the packages' names.
  const [pack] = Object.values(JSON.parse(output) as Record<string, { files: { path: string }[] }>);
  const paths = new Set(pack?.files.map(({ path }) => path));
  const named = [
    ...Object.values(manifest.bin),
    ...Object.values(manifest.exports).flatMap((entry) =>
      typeof entry === "object" ? Object.values(entry) : [entry],
    ),
  ].map((path) => path.replace(/^\.\//, ""));
  const headers = ["napi.h", "node_api.h", "LICENSE-node-addon-api", "LICENSE-node-api-headers"];
  const needed = [
    ...named,
    ...["LICENSE", "CMakeLists.txt", "native/addon/addon.cpp"],
    ...headers.map((name) => `third-party/node-api/${name}`),
  ];
  t.deepEqual(
    needed.filter((path) => !paths.has(path)),
    [],
    "missing (`npm run build` makes dist and third-party)",
  );
  const strange = [...paths].filter((path) =>
    /^(test|bench|examples|build|lib|node_modules)\//.test(path),
  );
  t.deepEqual(strange, []);
  const built = [...paths].filter((path) => /^[^/]+\.gyp$/.test(path));
  t.deepEqual(built, [], "npm ci builds a package with such a file, whatever gypfile says");
});

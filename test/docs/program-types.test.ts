/** The TypeScript of README and guides has no type errors, as a strict reader's project would see it. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { DOORS, SITE_PAGES } from "../../docs/site/pages.js";
import { completed } from "./preludes.js";
import { importsOf, locate, programsOf, ROOT } from "./programs.js";

const OPTIONS = {
  target: "es2022",
  module: "nodenext",
  lib: ["esnext"],
  types: ["node"],
  strict: true,
  skipLibCheck: true,
  noEmit: true,
  paths: {
    ...Object.fromEntries(Object.entries(DOORS).map(([name, path]) => [name, [join(ROOT, path)]])),
    // The whole of TensorFlow.js is its core, and more.
    "@tensorflow/tfjs": [join(ROOT, "node_modules/@tensorflow/tfjs-core/dist/index.d.ts")],
  },
};

/** What the compiler says of programs by their names; they lie in the project for a moment, where its packages are. */
function typeErrors(programs: Readonly<Record<string, string>>): string {
  mkdirSync(join(ROOT, "build"), { recursive: true });
  const folder = mkdtempSync(join(ROOT, "build", "docs-types-"));
  try {
    const names = Object.keys(programs).map((name) => `${name.replaceAll(/\W/g, "-")}.mts`);
    Object.values(programs).forEach((code, i) => {
      writeFileSync(join(folder, names[i] as string), `${code}\nexport {};\n`);
    });
    const config = { compilerOptions: OPTIONS, files: names };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    const compiler = join(ROOT, "node_modules/.bin/tsc");
    execFileSync(compiler, ["-p", folder], { encoding: "utf8", cwd: folder });
    return "";
  } catch (error) {
    return (error as { stdout: string }).stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("every program of every page is what its types ask for", (t) => {
  const programs = SITE_PAGES.flatMap((page) =>
    programsOf(page)
      .map((code, i) => [`${page} ${i + 1}`, completed(page, code)] as const)
      .filter(([, code]) => importsOf(code).every((name) => locate(name) !== undefined)),
  );
  t.true(programs.length > 15);
  t.is(typeErrors(Object.fromEntries(programs)), "");
});

test("a type error would be found", (t) => {
  t.regex(typeErrors({ wrong: 'import { scalar } from "papo";\nscalar("one");' }), /TS2345/);
});

test("the doors are those of the package", (t) => {
  const { exports } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    exports: Record<string, string | { types: string }>;
  };
  const doors = Object.entries(exports).flatMap(([name, entry]) =>
    typeof entry === "string"
      ? []
      : [[`papo${name.slice(1)}`, entry.types.replace(/^\.\/dist\/(.*)\.d\.ts$/, "lib/$1.ts")]],
  );
  t.deepEqual(Object.fromEntries(doors), { ...DOORS });
});

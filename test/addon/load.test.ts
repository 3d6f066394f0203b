/** Where the addon is looked for, in which order, and what is said where there is none. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "ava";
import { addon, binding, findAddon, threadsOf } from "../../lib/addon/load.js";

const folder = mkdtempSync(join(tmpdir(), "papo-load-"));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

const platform = `${process.platform}-${process.arch}`;

/** A package root of its own, with the real addon or junk at the given places. */
function rootWith(name: string, files: Readonly<Record<string, "addon" | "junk">>): string {
  const root = join(folder, name);
  for (const [file, kind] of Object.entries(files)) {
    const path = join(root, file);
    mkdirSync(dirname(path), { recursive: true });
    if (kind === "addon") copyFileSync(addon().path, path);
    else writeFileSync(path, "junk");
  }
  return root;
}

test("the addon is loaded once", (t) => {
  t.is(binding(), binding());
  t.is(addon().binding, binding());
});

test("a local build goes before a prebuilt addon", (t) => {
  const prebuilt = `prebuilds/${platform}/papo.glibc.node`;
  const root = rootWith("both", { "build/Release/papo.node": "addon", [prebuilt]: "addon" });
  t.is(findAddon({}, root).path, join(root, "build/Release/papo.node"));
});

test("a prebuilt addon that does not load gives way to the next", (t) => {
  const [broken, works] = [`prebuilds/${platform}/a.node`, `prebuilds/${platform}/b.node`];
  const root = rootWith("next", { [broken]: "junk", [works]: "addon" });
  t.is(findAddon({}, root).path, join(root, works));
});

test("a path that is said is the only one tried", (t) => {
  const root = rootWith("said", { "build/Release/papo.node": "addon" });
  const path = join(folder, "elsewhere.node");
  const error = t.throws(() => findAddon({ PAPO_ADDON_PATH: path }, root), {
    name: "PapoError",
    code: "ERR_UNSUPPORTED",
  });
  t.deepEqual(error?.message.split("\n"), [
    `[load] expected a native addon for ${platform}, received none that loads:`,
    `  ${path}: no such file`,
    "PAPO_ADDON_PATH names the only file that is tried: correct it, or unset it.",
  ]);
  t.is(findAddon({ PAPO_ADDON_PATH: "" }, root).path, join(root, "build/Release/papo.node"));
});

test("where no addon loads, every attempt is listed with its reason, and what to do", (t) => {
  const root = rootWith("none", { "build/Release/papo.node": "junk" });
  const error = t.throws(() => findAddon({}, root), { code: "ERR_UNSUPPORTED" });
  const [head, build, prebuilt, advice] = error?.message.split("\n") ?? [];
  t.is(head, `[load] expected a native addon for ${platform}, received none that loads:`);
  t.true(build?.startsWith(`  ${join(root, "build/Release/papo.node")}: `));
  t.is(prebuilt, `  ${join(root, "prebuilds", platform, "*.node")}: none for this platform`);
  t.regex(advice ?? "", /npm run build:native.*PAPO_ADDON_PATH/);
});

test("a module that is no addon says what it lacks", (t) => {
  const path = join(folder, "other.json");
  writeFileSync(path, "{}");
  t.throws(() => findAddon({ PAPO_ADDON_PATH: path }, folder), {
    message: /other\.json: not a papo addon: it exports no function configure/,
  });
});

test("the number of threads is what is said, within reason", (t) => {
  t.is(threadsOf({ PAPO_NUM_THREADS: "3" }), 3);
  t.true(threadsOf({}) >= 1);
  for (const said of ["0", "1025", "-1", "2.5", "1e2", "two", " 2"]) {
    t.throws(() => threadsOf({ PAPO_NUM_THREADS: said }), {
      code: "ERR_RANGE",
      message: `[load] expected PAPO_NUM_THREADS to be an integer in 1…1024, received "${said}"`,
    });
  }
});

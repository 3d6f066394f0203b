/** Where the addon is looked for, in which order, and what is said where there is none. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import test from "ava";
import { candidatesFor, prebuiltPlatforms } from "../../lib/addon/candidates.js";
import {
  AddonError,
  addon,
  binding,
  failuresIn,
  findAddon,
  NODE_API,
  objectionToRuntime,
  threadsOf,
} from "../../lib/addon/load.js";
import { bundleOf, manifestIn, PACKAGE_ROOT, version } from "../../lib/addon/package-root.js";
import { info } from "../../lib/index.js";
import { addonOf, TARGETS } from "../../packaging/targets.js";
import { copied, rootOf, write } from "./broken-addons.js";

const folder = mkdtempSync(join(tmpdir(), "papo-load-"));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

const platform = `${process.platform}-${process.arch}`;
const LOCAL = join("build", "Release", "papo.node");
const prebuilt = (name: string): string => join("prebuilds", platform, name);

test("the addon is loaded once", (t) => {
  t.is(binding(), binding());
  t.is(addon().binding, binding());
});

test("a local build goes before a prebuilt addon", (t) => {
  const root = rootOf(folder, "both");
  const path = copied(join(root, LOCAL));
  copied(join(root, prebuilt("papo.glibc.node")));
  copied(join(root, prebuilt("papo.node")));
  const found = findAddon({}, root);
  t.is(found.path, path);
  t.deepEqual(found.attempts, []);
});

test("without a local build the prebuilt addon is loaded, and that is no failure", (t) => {
  const root = rootOf(folder, "prebuilt");
  const path = copied(join(root, prebuilt("papo.node")));
  const found = findAddon({}, root);
  t.is(found.path, path);
  t.like(found.attempts, { length: 1, 0: { path: join(root, LOCAL), problem: "missing" } });
  t.deepEqual(failuresIn(found.attempts), []);
});

test("a local build that does not load gives way to the prebuilt addon, and is remembered", (t) => {
  const root = rootOf(folder, "next");
  const broken = write(join(root, LOCAL), "junk");
  const works = copied(join(root, prebuilt("papo.node")));
  const found = findAddon({}, root);
  t.is(found.path, works);
  t.like(failuresIn(found.attempts), { length: 1, 0: { path: broken, problem: "damaged" } });
});

test("of prebuilt addons those for the other C library are not tried", (t) => {
  const root = rootOf(folder, "tags");
  for (const name of ["papo.glibc.node", "papo.musl.node", "papo.node", "other.node", "papo.txt"]) {
    write(join(root, prebuilt(name)), "");
  }
  const names = (libc: "glibc" | "musl" | null) =>
    candidatesFor({}, root, libc).paths.map((path) => path.slice(root.length + 1));
  t.deepEqual(names("glibc"), [LOCAL, prebuilt("papo.glibc.node"), prebuilt("papo.node")]);
  t.deepEqual(names("musl"), [LOCAL, prebuilt("papo.musl.node"), prebuilt("papo.node")]);
  // Nobody knows which, or there is only one: prebuildify writes .glibc everywhere.
  t.deepEqual(names(null), [
    LOCAL,
    ...["papo.glibc.node", "papo.musl.node", "papo.node"].map(prebuilt),
  ]);
});

test("every addon that is prebuilt is found on the system that it is for, and on no other", (t) => {
  const root = rootOf(folder, "every");
  for (const target of Object.values(TARGETS)) write(join(root, addonOf(target)), "");
  for (const { platform, arch, libc, ...rest } of Object.values(TARGETS)) {
    const { paths, absent } = candidatesFor({}, root, libc ?? null, `${platform}-${arch}`);
    t.deepEqual(paths.slice(1), [join(root, addonOf({ platform, arch, libc, ...rest }))]);
    t.is(absent, undefined);
  }
  t.is(
    candidatesFor({}, root, null, "win32-arm64").absent?.reason,
    "no prebuilt addon for win32-arm64, only darwin-arm64, darwin-x64, linux-arm64, linux-x64, win32-x64",
  );
});

test("where nothing is prebuilt for this platform, what there is is named", (t) => {
  const none = rootOf(folder, "none");
  t.like(candidatesFor({}, none, "glibc").absent, {
    path: join(none, "prebuilds", platform),
    problem: "missing",
    reason: `no prebuilt addon for ${platform} with glibc, nor for any other platform`,
  });
  const others = rootOf(folder, "others");
  write(join(others, "prebuilds", "plan9-mips", "papo.node"), "");
  write(join(others, "prebuilds", "amiga-m68k", "papo.node"), "");
  t.deepEqual(prebuiltPlatforms(others), ["amiga-m68k", "plan9-mips"]);
  t.is(
    candidatesFor({}, others, null).absent?.reason,
    `no prebuilt addon for ${platform}, only amiga-m68k, plan9-mips`,
  );
  const musl = rootOf(folder, "musl");
  write(join(musl, prebuilt("papo.musl.node")), "");
  t.is(
    candidatesFor({}, musl, "glibc").absent?.reason,
    `no prebuilt addon for ${platform} with glibc, only papo.musl.node`,
  );
});

test("a path that is said is the only one tried", (t) => {
  const root = rootOf(folder, "said");
  const local = copied(join(root, LOCAL));
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
  t.is(findAddon({ PAPO_ADDON_PATH: "" }, root).path, local);
  t.is(findAddon({ PAPO_ADDON_PATH: local }, "/nowhere").path, local);
});

test("where no addon loads, every attempt is listed with its reason, and what to do", (t) => {
  const root = rootOf(folder, "broken");
  const local = write(join(root, LOCAL), "");
  const tagged = write(join(root, prebuilt("papo.node")), "<html>not found</html>");
  const error = t.throws(() => findAddon({}, root), { code: "ERR_UNSUPPORTED" });
  t.deepEqual(error?.message.split("\n"), [
    `[load] expected a native addon for ${platform}, received none that loads:`,
    `  ${local}: damaged file: it is empty`,
    `  ${tagged}: damaged file: not a native library, it begins with "<html>not found</html>"`,
    "Install papo again: a file was damaged on its way (npm ci, or npm install papo --force).",
    "Build the addon here, offline: npx papo build (it says which tools are missing), or set PAPO_ADDON_PATH to a built papo.node.",
  ]);
});

test("an error that nobody catches shows its message once", (t) => {
  const error = t.throws(() => findAddon({}, rootOf(folder, "printed")));
  t.is(inspect(error).split("no such file").length, 2);
});

test("outside of the package, in a bundle, the advice is about bundles", (t) => {
  const root = rootOf(folder, "bundle", null);
  const { advice } = t.throws(() => findAddon({}, root), { instanceOf: AddonError }) ?? {};
  t.is(advice?.length, 1);
  t.regex(advice?.[0] ?? "", /^This is a bundle without the package: .*--external:papo.*prebuilds/);
});

test("the package knows where it lies and its version", (t) => {
  t.is(manifestIn(PACKAGE_ROOT)?.version, version);
  t.is(manifestIn(folder), undefined);
  t.is(manifestIn(join(PACKAGE_ROOT, "node_modules", "commander")), undefined, "another package");
});

test("a bundle in an executable of Bun's lies where the executable does", (t) => {
  t.is(bundleOf("/app/out/main.mjs", "/usr/bin/node"), "/app/out/main.mjs");
  t.is(bundleOf("/$bunfs/root/main", "/app/main"), "/app/main");
  t.is(bundleOf("B:\\~BUN\\root\\main", "C:\\app\\main.exe"), "C:\\app\\main.exe");
});

test("a runtime with an older Node-API is refused before anything is loaded", (t) => {
  t.deepEqual(objectionToRuntime({ napi: "7", node: "10.0.0" }), {
    problem: "runtime",
    reason: "needs Node-API 8, this runtime (Node 10.0.0) has 7",
  });
  for (const napi of ["8", "10", "170"]) t.is(objectionToRuntime({ napi, node: "" }), undefined);
  t.is(objectionToRuntime({ node: "" }), undefined, "a runtime that does not say is tried");
  t.is(objectionToRuntime(), undefined);
  t.is(info().napiVersion, NODE_API);
});

test("info tells what was tried before", (t) => {
  t.deepEqual(info().attempts, addon().attempts);
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

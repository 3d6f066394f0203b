/** The checks of `npm run release:dry` that are its own: each of them finds what it is for. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { readManifest } from "../../packaging/licences/manifest.js";
import { digestOf, objectionsToRecord, sourcesDigest } from "../../packaging/record.js";
import { differencesOfFolders, differencesOfLocks } from "../../packaging/release/built.js";
import { objectionsToChangelog, objectionsToVersion } from "../../packaging/release/source.js";
import { failures, runAll, type Step, summary } from "../../packaging/release/step.js";

const TODAY = "2026-11-21";

/** A folder that goes with the test, with these files in it. */
function folderOf(
  t: { teardown(end: () => void): void },
  files: Readonly<Record<string, string>>,
): string {
  const folder = mkdtempSync(join(tmpdir(), "papo-release-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

test("a changelog has a dated section about the version, and nothing unreleased beside it", (t) => {
  const good =
    "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-11-20\n\n### Added\n\n- A.\n\n## [1.1.0] - 2026-01-01\n\n- B.\n";
  const objections = (text: string) => objectionsToChangelog("1.2.0", text, TODAY);
  t.deepEqual(objections(good), []);
  t.deepEqual(objections(good.replace("## [Unreleased]\n\n", "")), []);
  t.regex(
    objections(good.replace("[Unreleased]\n", "[Unreleased]\n\n- C.\n")).join(),
    /lines below/,
  );
  t.regex(
    objections(good.replace("1.2.0", "1.2.1")).join(),
    /no section "## \[1\.2\.0\] - 2026-11-21"/,
  );
  t.regex(objections(good.replace("1.2.0", "1x2.0")).join(), /no section/);
  t.regex(objections(good.replace("- A.\n", "")).join(), /says nothing about 1\.2\.0/);
  t.regex(objections(good.replace("11-20", "11-22")).join(), /is to come/);
  t.regex(
    objections(good.replace("2026-11-20", "2026-02-30")).join(),
    /dates 1\.2\.0 "2026-02-30"/,
  );
  t.regex(objections(good.replace("2026-11-20", "20 November")).join(), /dates 1\.2\.0/);
});

test("the lock is of the manifest's version, which is one", (t) => {
  const lock = (version: string, root: string) => ({
    version,
    packages: { "": { version: root } },
  });
  t.deepEqual(objectionsToVersion("1.2.0", lock("1.2.0", "1.2.0")), []);
  t.deepEqual(objectionsToVersion("1.2.0-rc.1", lock("1.2.0-rc.1", "1.2.0-rc.1")), []);
  t.regex(objectionsToVersion("1.2.0", lock("1.1.0", "1.2.0")).join(), /is of 1\.1\.0/);
  t.regex(objectionsToVersion("1.2.0", lock("1.2.0", "1.1.0")).join(), /is of 1\.1\.0/);
  t.regex(objectionsToVersion("next", lock("next", "next")).join(), /no version/);
});

test("what is installed is what is locked, but for what is optional", (t) => {
  const locked = {
    "": { version: "1.0.0" },
    a: { version: "1.0.0" },
    b: { version: "2.0.0", optional: true },
  };
  t.deepEqual(differencesOfLocks(locked, { a: { version: "1.0.0" } }), []);
  t.deepEqual(differencesOfLocks(locked, { a: { version: "1.0.1" }, c: { version: "3.0.0" } }), [
    "a: locked 1.0.0, installed 1.0.1",
    "c: locked none, installed 3.0.0",
  ]);
  t.deepEqual(differencesOfLocks(locked, {}), ["a: locked 1.0.0, installed none"]);
});

test("folders are compared file by file", (t) => {
  const a = folderOf(t, { same: "1", "in/both": "1", here: "1" });
  const b = folderOf(t, { same: "1", "in/both": "2", there: "1" });
  t.deepEqual(differencesOfFolders(a, b), ["here", "in/both", "there"]);
});

test("an addon is of the version and the sources of its record, and is the file that was built", (t) => {
  const { version } = readManifest();
  const addon = "prebuilds/linux-x64/papo.glibc.node";
  const root = folderOf(t, { [addon]: "addon" });
  const record = {
    version,
    commit: null,
    sources: "s",
    addon: digestOf(join(root, addon)),
    cuda: true,
  };
  const objections = (change: object) => {
    writeFileSync(
      join(root, addon.replace(".node", ".json")),
      JSON.stringify({ ...record, ...change }),
    );
    return objectionsToRecord(addon, "s", root).join();
  };
  t.regex(objectionsToRecord(addon, "s", root).join(), /has no record/);
  t.is(objections({}), "");
  t.regex(objections({ version: "0.0.1" }), /is of version 0\.0\.1/);
  t.regex(
    objections({ sources: "t", commit: "0123456789abcdef" }),
    /other sources \(of 0123456789ab\)/,
  );
  t.regex(objections({ addon: "x" }), /is not the file that was built/);
});

test("the digest of the sources changes with a kernel, not with a page or a line's end", (t) => {
  const files = { "CMakeLists.txt": "a\nb", "CMakePresets.json": "{}", "packaging/x.ts": "" };
  const digest = (more: Readonly<Record<string, string>>) =>
    sourcesDigest(
      folderOf(t, { ...files, "native/a.cpp": "1\n", "native/README.md": "1", ...more }),
    );
  const first = digest({});
  t.is(digest({ "native/README.md": "2", "packaging/x.ts": "3" }), first);
  t.is(digest({ "native/a.cpp": "1\r\n", "CMakeLists.txt": "a\r\nb" }), first);
  t.not(digest({ "native/a.cpp": "2\n" }), first);
  t.not(digest({ "native/cuda/b.cu": "" }), first);
  t.not(digest({ "packaging/toolchains/x.cmake": "" }), first);
});

test("every step runs whatever the others say, but for those that need one that failed", async (t) => {
  const ran: string[] = [];
  const step = (name: string, found: readonly string[], after: readonly string[] = []): Step => ({
    name,
    title: `the ${name}`,
    after,
    run() {
      ran.push(name);
      if (found[0] === "throws") throw new Error("thrown");
      return failures(found);
    },
  });
  const steps = [
    step("a", ["bad"]),
    step("b", ["throws"]),
    step("c", [], ["a"]),
    step("d", [], ["c"]),
    step("e", []),
  ];
  const log = console.log;
  console.log = () => undefined;
  const results = await runAll(steps).finally(() => {
    console.log = log;
  });
  t.deepEqual(ran, ["a", "b", "e"]);
  t.deepEqual(
    results.map(({ outcome }) => outcome),
    ["FAILED", "FAILED", "not tried", "not tried", "ok"],
  );
  t.regex(summary(results), /4 of 5 steps are not ok/);
  t.regex(summary(results.filter(({ outcome }) => outcome === "ok")), /nothing speaks against it/);
});

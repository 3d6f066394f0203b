/** The addon broken in every way that was thought of: what is said of each, in a process of its own. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { AddonProblem } from "../../lib/addon/attempt.js";
import { libcOfProcess } from "../../lib/addon/libc.js";
import * as broken from "./broken-addons.js";
import { inLoadChild, type Outcome, type ProcessOptions, type Search } from "./in-load-child.js";

const folder = mkdtempSync(join(tmpdir(), "papo-broken-"));
// So that another user finds what he may not read.
chmodSync(folder, 0o755);
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

const LINUX = process.platform === "linux";
const GLIBC = libcOfProcess() === "glibc";
const NOBODY = "65534";

/** Puts something broken where the local build is, and says how it must be called. */
interface Case {
  readonly make: (path: string) => void;
  readonly problem: AddonProblem;
  readonly reason: RegExp | string;
  readonly advice?: RegExp;
  /** Why it cannot be tried here, if it cannot. */
  readonly skip?: string | false;
  /** A process of its own. */
  readonly process?: ProcessOptions;
  /** The name of a file that is named explicitly. */
  readonly explicit?: string;
  /** Version of the package. */
  readonly version?: string;
}

const noCompiler = !broken.HAS_COMPILER && "no C compiler";
const notGlibc = !GLIBC && "not a Linux with glibc";
const notElf = !LINUX && "not a Linux";
const here = `this is ${process.platform} on ${process.arch}`;

const cases: Record<string, Case> = {
  "an empty file": {
    make: (path) => broken.write(path, ""),
    problem: "damaged",
    reason: "damaged file: it is empty",
    advice: /^Install papo again/m,
  },
  "a page in its place": {
    make: (path) => broken.write(path, "<!DOCTYPE html>\n<title>502</title>"),
    problem: "damaged",
    reason: 'damaged file: not a native library, it begins with "<!DOCTYPE html>?<title>5"',
  },
  "the first 100 kB": {
    make: (path) => broken.cut(path, 100_000),
    problem: "damaged",
    reason: /^damaged file: cut to 100000 of \d{7} bytes$/,
    skip: notElf,
  },
  "half a header": {
    make: (path) => broken.cut(path, 40),
    problem: "damaged",
    reason: "damaged file: a file that was cut",
    skip: notElf,
  },
  "a header and nothing else": {
    make: (path) => broken.cut(path, 64),
    problem: "damaged",
    reason: /^damaged file: cut to 64 of \d+ bytes$/,
    skip: notElf,
  },
  "all but the last byte": {
    make: (path) => {
      const bytes = broken.sizeOfAddon();
      broken.cut(path, bytes - 1);
    },
    problem: "damaged",
    reason: /^damaged file: cut to (\d+) of \d+ bytes$/,
    skip: notElf,
  },
  "half of a binary without its table of sections": {
    make: (path) => broken.cutWithoutSections(path),
    problem: "damaged",
    reason: /^damaged file: cut to \d+ of \d+ bytes$/,
    skip: notElf,
  },
  "a binary for another processor": {
    make: (path) => broken.withHeader(path, 18, [process.arch === "x64" ? 183 : 62, 0]),
    problem: "platform",
    reason: `built for Linux on ${process.arch === "x64" ? "arm64" : "x64"}, ${here}`,
    advice: /^Install the dependencies on the machine that runs them/m,
    skip: notElf,
  },
  "a binary for a processor nobody knows": {
    make: (path) => broken.withHeader(path, 18, [0x39, 0x30]),
    problem: "platform",
    reason: `built for Linux on processor 12345, ${here}`,
    skip: notElf,
  },
  "a binary for another system": {
    make: (path) => broken.write(path, broken.foreignHeader(process.platform)),
    problem: "platform",
    reason: new RegExp(`^built for (macOS|Linux) on arm64, ${here}$`),
  },
  "a program": {
    make: (path) => broken.withHeader(path, 16, [2, 0]),
    problem: "stranger",
    reason: "not a shared library",
    skip: notElf,
  },
  "a library of another name": {
    make: (path) => broken.copied(path),
    explicit: "libpapo.so",
    problem: "stranger",
    reason: "not an addon: its name does not end in .node",
    skip: notElf,
  },
  "a library that is missing": {
    make: (path) => broken.patched(path, { "libgcc_s.so.1": "libgone.so.1" }),
    problem: "library",
    reason: "needs libgone.so.1, which is not on this system",
    advice: /^Install the library that is missing/m,
    skip: notElf,
  },
  "the compiler's library missing": {
    make: (path) => broken.patched(path, { "libstdc++.so.6": "libstdc++.so.9" }),
    problem: "library",
    reason: "needs libstdc++.so.9, which is not on this system",
    advice: /apt-get install libstdc\+\+6 .*apk add libstdc\+\+/,
    skip: notElf,
  },
  "a glibc that is too old": {
    make: (path) => broken.patched(path, { [broken.needsOf("GLIBC")[0]]: "GLIBC_2.99" }),
    problem: "system",
    reason: `needs glibc 2.99, this system has ${broken.glibcVersion() ?? "an older one"}`,
    advice: /^Take a newer system .*build the addon/m,
    skip: notGlibc,
  },
  "a glibc that is too old by several versions": {
    make: (path) => {
      const [newest, next] = broken.needsOf("GLIBC");
      broken.patched(path, { [newest]: "GLIBC_2.99", [next]: "GLIBC_2.98" });
    },
    problem: "system",
    // glibc itself stops at the first, in the order in which the libraries were linked.
    reason: `needs glibc 2.99, this system has ${broken.glibcVersion() ?? "an older one"}`,
    skip: notGlibc,
  },
  "a libstdc++ that is too old": {
    make: (path) => broken.patched(path, { [broken.needsOf("GLIBCXX")[0]]: "GLIBCXX_3.4.99" }),
    problem: "system",
    reason:
      /^needs GLIBCXX_3\.4\.99 of libstdc\+\+\.so\.6, \/\S+libstdc\+\+\.so\.6 has GLIBCXX_3\.4\.\d\d at most$/,
    skip: notGlibc,
  },
  "a binary for the other C library": {
    make: (path) => broken.patched(path, { "libc.so.6": "libc.so" }),
    problem: "libc",
    reason: "built for musl, this process runs on glibc",
    skip: notGlibc,
  },
  "another addon": {
    make: (path) => broken.compiled(path, broken.STRANGER),
    problem: "stranger",
    reason: "not papo's addon: it exports no function configure",
    skip: noCompiler,
  },
  "a library that is no addon": {
    make: (path) => broken.compiled(path, broken.PLAIN_LIBRARY),
    problem: "stranger",
    reason: "not papo's addon: a library that is no addon at all",
    skip: noCompiler,
  },
  "a function that this Node-API does not have": {
    make: (path) => broken.compiled(path, broken.WITH_NEW_FUNCTION, "-Wl,-z,now"),
    problem: "runtime",
    reason: /^needs napi_look_into_the_future, which this runtime \(Node [\d.]+\) does not have$/,
    skip: noCompiler || notElf,
  },
  "the addon of another version": {
    make: (path) => broken.copied(path),
    version: "9.8.7",
    problem: "version",
    reason: /^the addon of papo \d+\.\d+\.\d+, the package is papo 9\.8\.7$/,
    advice: /npx papo build/,
  },
  "a folder of that name": {
    make: (path) => mkdirSync(path, { recursive: true }),
    problem: "unreadable",
    reason: "a folder, not a file",
  },
  "a file that may not be read": {
    make: (path) => chmodSync(broken.copied(path), 0),
    // Nothing is forbidden to root.
    ...(process.geteuid?.() === 0 ? { process: { user: NOBODY } } : {}),
    problem: "unreadable",
    reason: "no permission to read it",
    advice: /^Let this user read the file/m,
    skip: process.platform === "win32" && "Windows has no such permissions",
  },
  "a link to nowhere": {
    make: (path) => {
      mkdirSync(dirname(path), { recursive: true });
      symlinkSync("../gone/papo.node", path);
    },
    problem: "missing",
    reason: "a link to ../gone/papo.node, which is not there",
  },
  "a link to itself": {
    make: (path) => {
      mkdirSync(dirname(path), { recursive: true });
      symlinkSync("papo.node", path);
    },
    problem: "unreadable",
    reason: /too many symbolic links/,
  },
  "a file where a folder should be": {
    make: (path) => broken.write(dirname(path), ""),
    problem: "missing",
    reason: "no such file",
  },
  "addons that are forbidden": {
    make: (path) => broken.copied(path),
    process: { node: ["--no-addons"] },
    problem: "forbidden",
    reason: "this process may not load addons",
    advice: /^Allow addons: .*--allow-addons/m,
  },
};

/** The cases of this machine, with their broken files in place. */
interface Prepared extends Case {
  readonly title: string;
  readonly search: Search;
  readonly path: string;
}

const prepared: Prepared[] = Object.entries(cases).flatMap(([title, item], index) => {
  if (item.skip) {
    test.skip(`said of ${title} (${item.skip})`, () => undefined);
    return [];
  }
  const root = broken.rootOf(folder, String(index), item.version);
  const explicit = item.explicit === undefined ? undefined : join(root, item.explicit);
  const path = explicit ?? join(root, "build", "Release", "papo.node");
  return [{ ...item, title, path, search: { root, ...(explicit && { explicit }) } }];
});

/** All that need no process of their own share one; if it dies of a case, that one and those after it fail. */
const together = prepared.filter((item) => item.process === undefined);
let shared: Promise<Outcome[]>;

test.before("everything is broken", () => {
  for (const { make, path } of prepared) make(path);
  shared = inLoadChild(together.map(({ search }) => search));
});

function judge(
  t: ExecutionContext,
  { path, problem, reason, advice }: Case & { path: string },
  outcome: Outcome,
) {
  t.is(outcome.path, undefined);
  t.is(outcome.code, "ERR_UNSUPPORTED");
  const [attempt] = outcome.attempts;
  t.like(attempt, { path, problem });
  if (typeof reason === "string") t.is(attempt?.reason, reason);
  else t.regex(attempt?.reason ?? "", reason);
  t.true(outcome.message?.includes(`\n  ${path}: ${attempt?.reason}\n`), "in the message");
  t.true(outcome.message?.endsWith((outcome.advice ?? []).join("\n")), "with the advice");
  if (advice) t.regex(outcome.advice?.join("\n") ?? "", advice);
}

for (const item of prepared) {
  test(`said of ${item.title}`, async (t) => {
    const [outcome] = item.process
      ? await inLoadChild([item.search], item.process)
      : (await shared).slice(together.indexOf(item));
    if (!outcome) return t.fail("the process died");
    return judge(t, item, outcome);
  });
}

test("the file that is named is the only one, however broken, and the others are whole", async (t) => {
  const root = broken.rootOf(folder, "named");
  broken.copied(join(root, "build", "Release", "papo.node"));
  const named = { missing: undefined, empty: "", text: "no" };
  const searches = Object.entries(named).map(([name, content]) => {
    const explicit = join(root, `${name}.node`);
    if (content !== undefined) broken.write(explicit, content);
    return { root, explicit };
  });
  const outcomes = await inLoadChild([{ root }, ...searches]);
  t.is(outcomes[0]?.path, join(root, "build", "Release", "papo.node"), "unnamed, it loads");
  for (const [i, { explicit }] of searches.entries()) {
    const { path, attempts, advice } = outcomes[i + 1] as Outcome;
    t.is(path, undefined);
    t.deepEqual(
      attempts.map((attempt) => attempt.path),
      [explicit],
    );
    t.deepEqual(advice, [
      "PAPO_ADDON_PATH names the only file that is tried: correct it, or unset it.",
    ]);
  }
});

test("a whole addon loads in such a process", async (t) => {
  const root = broken.rootOf(folder, "whole");
  const path = broken.copied(join(root, "build", "Release", "papo.node"));
  t.deepEqual(await inLoadChild([{ root }]), [{ path, attempts: [] }]);
});

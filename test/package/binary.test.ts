/** The prebuilt addons: how large they are, and which systems they run on, read from the files themselves. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { objectionToFile } from "../../lib/addon/binary-file.js";
import { PLATFORM } from "../../lib/addon/candidates.js";
import { compareVersions } from "../../lib/addon/diagnosis.js";
import { ElfFile, type ElfLinks } from "../../lib/addon/elf.js";
import { type Libc, libcOfNeeds, libcOfProcess } from "../../lib/addon/libc.js";
import { tryAddon } from "../../lib/addon/load.js";
import { PACKAGE_ROOT, version } from "../../lib/addon/package-root.js";
import { addonOf, holdsKernels, TARGETS } from "../../packaging/targets.js";

const FOLDER = join(PACKAGE_ROOT, "prebuilds");

/**
 * The oldest systems that a binary promises to run on. glibc 2.34 is what CUDA's static runtime asks for, linked on
 * Debian 12: RHEL 9, Debian 12, Ubuntu 22.04, Amazon Linux 2023. Of libstdc++ nothing newer than gcc 6's is used.
 */
const FLOORS = { GLIBC: "2.34", GLIBCXX: "3.4.22", CXXABI: "1.3.9", GCC: "3.0" } as const;

/** Kernels for five generations of GPUs, and CUDA's runtime, are most of it where they are in. */
const MOST_BYTES = { cuda: 5_000_000, cpu: 2_500_000 } as const;

/** What is on every system of that kind; anything else a user would have to install. */
const LIBRARIES =
  /^(libstdc\+\+\.so\.6|libgcc_s\.so\.1|lib[cm]\.so\.6|ld-linux-(x86-64|aarch64)\.so\.[12]|libc\.musl-\w+\.so\.1|libc\.so)$/;

const names = existsSync(FOLDER) ? readdirSync(FOLDER, { recursive: true, encoding: "utf8" }) : [];
const binaries = names.filter((name) => name.endsWith(".node")).sort();
/** Targets whose binaries must be there, with CUDA kernels or not, as `linux-x64+cuda,linux-arm64`: a release says so. */
const REQUIRED = (process.env.PAPO_REQUIRE_PREBUILDS ?? "")
  .split(",")
  .filter((name) => name !== "");

test("the targets that a release asks for are there, with the kernels that it asks for", (t) => {
  if (REQUIRED.length === 0) t.log("PAPO_REQUIRE_PREBUILDS names none");
  t.deepEqual(REQUIRED.flatMap(lackOf), []);
});

/** Why a target, `linux-x64+cuda`, is not served. */
function lackOf(name: string): string[] {
  const [target = "", kernels] = name.split("+");
  if (!TARGETS[target] || (kernels ?? "cuda") !== "cuda") return [`${name} is no target`];
  const path = addonOf(TARGETS[target]);
  if (!existsSync(join(PACKAGE_ROOT, path))) return [`${name}: no ${path}`];
  if (kernels && !holdsKernels(join(PACKAGE_ROOT, path))) return [`${path} has no CUDA kernels`];
  return [];
}

if (binaries.length === 0) {
  test.skip("a prebuilt addon keeps its promises (none here: npm run build:prebuilds)", () =>
    undefined);
}

for (const name of binaries) {
  const path = join(FOLDER, name);
  const [folder = ""] = name.split(/[/\\]/);
  const [platform = "", processor = ""] = folder.split("-");

  test(`${name} lies where the loader looks, and is what its folder says`, (t) => {
    const known = Object.values(TARGETS).map(addonOf);
    t.true(known.includes(`prebuilds/${name.replaceAll("\\", "/")}`), "a target's (packaging)");
    t.is(objectionToFile(path, platform, processor), undefined);
  });

  test(`${name} is small enough`, (t) => {
    const { size } = statSync(path);
    const [what, most] = holdsKernels(path)
      ? ["with CUDA kernels", MOST_BYTES.cuda]
      : ["without CUDA kernels", MOST_BYTES.cpu];
    t.log(`${size} bytes, at most ${most} ${what}`);
    t.true(size <= most, `${size} bytes`);
  });

  const fits = folder === PLATFORM && (platform !== "linux" || libcOf(path) === libcOfProcess());
  (fits ? test : test.skip)(`${name} loads, and is of this version`, (t: ExecutionContext) => {
    const result = tryAddon(path, version);
    t.false("problem" in result, JSON.stringify(result));
    if ("problem" in result) return;
    t.is(result.version, version);
    t.is(result.info().version, version);
    t.is(result.info().cuda.built, holdsKernels(path), "and knows whether it holds kernels");
  });

  if (platform === "linux") testLinux(name, path);
}

function testLinux(name: string, path: string): void {
  const links = linksOf(path);
  const file = name.split("/")[1] ?? "";

  test(`${name} needs no newer system than it promises`, (t) => {
    for (const [family, floor] of Object.entries(FLOORS)) {
      const newest = newestOf(links, family);
      t.log(`${family}: ${newest ?? "none"}, floor ${floor}`);
      if (newest) t.true(compareVersions(newest, floor) <= 0, `${family}_${newest}`);
    }
    t.is(newestOf(links, "GLIBC") === undefined, file.includes(".musl."));
    t.deepEqual(strangeVersions(links), []);
  });

  test(`${name} needs no library that a system lacks`, (t) => {
    t.deepEqual(
      links.needed.filter((library) => !LIBRARIES.test(library)),
      [],
    );
    t.is(libcOf(path), file.includes(".musl.") ? "musl" : "glibc");
  });

  test(`${name} carries no symbols but those it exports`, (t) => {
    t.false(sectionTypes(path).includes(2), "no table of symbols: it is stripped");
    t.false(sectionTypes(path).length === 0, "the reader found the sections");
  });

  test(`${name} has the table of frames, without which an exception ends the process`, (t) => {
    t.true(segmentTypes(path).includes(0x6474e550));
  });
}

/** The types of an ELF file's segments (64 bits, little-endian, as both processors are). */
function segmentTypes(path: string): number[] {
  const bytes = readFileSync(path);
  const table = Number(bytes.readBigUInt64LE(32));
  const size = bytes.readUInt16LE(54);
  return Array.from({ length: bytes.readUInt16LE(56) }, (_, at) =>
    bytes.readUInt32LE(table + at * size),
  );
}

function linksOf(path: string): ElfLinks {
  using elf = new ElfFile(path);
  return elf.links();
}

function libcOf(path: string): Libc | undefined {
  return libcOfNeeds(linksOf(path).needed);
}

function versionsOf({ versionsNeeded }: ElfLinks): string[] {
  return versionsNeeded.flatMap(({ versions }) => versions);
}

function newestOf(links: ElfLinks, family: string): string | undefined {
  return versionsOf(links)
    .filter((name) => name.startsWith(`${family}_`))
    .map((name) => name.slice(family.length + 1))
    .sort(compareVersions)
    .at(-1);
}

/** Versions of families without a floor, and such as `GLIBC_PRIVATE`. */
function strangeVersions(links: ElfLinks): string[] {
  const known = new RegExp(`^(${Object.keys(FLOORS).join("|")})_[\\d.]+$`);
  return versionsOf(links).filter((name) => !known.test(name));
}

/** Kinds of the sections of an ELF file: 2 is the table of symbols that a debugger reads. */
function sectionTypes(path: string): number[] {
  const bytes = readFileSync(path);
  const table = Number(bytes.readBigUInt64LE(40));
  const size = bytes.readUInt16LE(58);
  return Array.from({ length: bytes.readUInt16LE(60) }, (_, i) =>
    bytes.readUInt32LE(table + i * size + 4),
  );
}

/** Steps over the tarball: packed once, looked at, installed, handed to npm as far as that goes without a login. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, readManifest } from "../licences/manifest.js";
import { digestOf } from "../record.js";
import { ava } from "./built.js";
import { command, failures, type Step } from "./step.js";

export const FOLDER: string = join(ROOT, "build", "release");
/** What npm said when it packed; the tests of test/package look at this tarball where PAPO_PACKED names it. */
const REPORT = join(FOLDER, "packed.json");

interface Packed {
  readonly path: string;
  readonly size: number;
  readonly unpackedSize: number;
}

export const PACK: Step = {
  name: "pack",
  title: "npm pack, into build/release",
  run() {
    mkdirSync(FOLDER, { recursive: true });
    for (const name of readdirSync(FOLDER)) if (name.endsWith(".tgz")) rmSync(join(FOLDER, name));
    rmSync(REPORT, { force: true });
    const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", FOLDER];
    const { ok, stdout, tail } = command("npm", args);
    if (!ok) return failures([tail]);
    // npm 11 prints a list, npm 12 an object by the packages' names.
    const [report] = Object.values(JSON.parse(stdout) as Record<string, { filename: string }>);
    const path = join(FOLDER, report?.filename ?? "");
    writeFileSync(REPORT, JSON.stringify({ ...report, path, addon: "prebuilds" }));
    const { size, unpackedSize } = packed();
    return failures([], [`${path}: ${size} bytes, ${unpackedSize} unpacked`]);
  },
};

/** A step that runs tests on the tarball. */
function tested(name: string, title: string, file: string, config?: "package"): Step {
  return {
    name,
    title,
    after: ["pack"],
    run() {
      const path = `test/package/${file}.test.ts`;
      const { ok, tail } = command(process.execPath, ava(path, config), { PAPO_PACKED: REPORT });
      return failures(ok ? [] : [tail]);
    },
  };
}

/** What each tells of the tarball is in the tests' own titles. */
export const TESTS: readonly Step[] = [
  tested("contents", "only what belongs there, small enough", "contents"),
  tested("licences", "notices and bill of materials are up to date", "licences"),
  tested("manifest", "publint and are-the-types-wrong", "manifest", "package"),
  tested("types", "the types in readers' projects", "declarations", "package"),
  tested("install", "installed and used by this Node and this npm", "matrix", "package"),
];

export const PUBLISH: Step = {
  name: "publish",
  title: "npm publish --dry-run",
  after: ["pack"],
  run() {
    const args = ["publish", "--dry-run", "--ignore-scripts", "--access", "public", "--provenance"];
    const { ok, tail } = command("npm", [...args, packed().path]);
    // Of a folder npm also says what it would correct in package.json.
    const corrections = command("npm", args)
      .output.split("\n")
      .filter((line) =>
        /^npm warn publish (?!This command requires you to be logged in)/.test(line),
      );
    return failures(
      [...(ok ? [] : [tail]), ...corrections, ...objectionsToRepository()],
      [
        "not tried: the login, whether the name is ours, provenance (npm signs it in a hosted CI alone)",
        ...(readRepository() ? [] : [NO_REPOSITORY]),
      ],
    );
  },
};

export const CHECKSUMS: Step = {
  name: "checksums",
  title: "SHA-256 of the tarball and its addons, into build/release/SHA256SUMS",
  after: ["pack"],
  run() {
    const addons = readdirSync(join(ROOT, "prebuilds"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".node"))
      .map((name) => `prebuilds/${name.replaceAll("\\", "/")}`)
      .sort();
    const tarball = packed().path;
    const lines = [
      `${digestOf(tarball)}  ${tarball.slice(FOLDER.length + 1)}`,
      ...addons.map((addon) => `${digestOf(join(ROOT, addon))}  ${addon}`),
    ];
    writeFileSync(join(FOLDER, "SHA256SUMS"), `${lines.join("\n")}\n`);
    return failures([], lines);
  },
};

const NO_REPOSITORY = [
  "package.json names no repository: npm refuses provenance without one, and links and pictures of the README lead",
  "nowhere on npm's page until then",
].join("\n");

/** In a hosted CI the manifest has to name the repository that the release comes from. */
function objectionsToRepository(): string[] {
  const here = process.env.GITHUB_REPOSITORY;
  if (!here) return [];
  const named = readRepository();
  if (named?.toLowerCase().includes(`/${here.toLowerCase()}`)) return [];
  return [
    `package.json names ${named ?? "no repository"}, this is ${here}: npm refuses provenance`,
  ];
}

function readRepository(): string | undefined {
  const { repository } = readManifest() as { repository?: string | { url: string } };
  return typeof repository === "object" ? repository.url : repository;
}

function packed(): Packed {
  return JSON.parse(readFileSync(REPORT, "utf8")) as Packed;
}

/** What is not papo's own: few dependencies, every part of it declared, and the files about it up to date. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { ElfFile } from "../../lib/addon/elf.js";
import { LICENCE_FILES } from "../../packaging/licences/files.js";
import { locked, readManifest } from "../../packaging/licences/manifest.js";
import { PARTS, type Way } from "../../packaging/licences/parts.js";
import { ROOT } from "./support/pack.js";

interface LockedPackage {
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly peer?: boolean;
}

/** Licences that ask for no more than to be named. */
const PERMISSIVE = /^(MIT|ISC|BSD-[23]-Clause|Apache-2\.0)$/;

const declared = (way: Way) =>
  PARTS.filter(({ ways }) => ways.includes(way)).map(({ name }) => name);

test("who installs papo gets commander with it, and nothing else", (t) => {
  // One more is a decision: it belongs into this list, into packaging/licences/parts.ts, and has to earn its place.
  t.deepEqual(Object.keys(readManifest().dependencies), ["commander"]);
  t.deepEqual(declared("installed"), ["commander"]);
  const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
    packages: Record<string, LockedPackage>;
  };
  const installed = Object.entries(packages).filter(
    ([path, { dev, devOptional, peer }]) => path !== "" && !dev && !devOptional && !peer,
  );
  t.deepEqual(
    installed.map(([path]) => path),
    ["node_modules/commander"],
  );
});

test("peers are those declared", (t) => {
  t.deepEqual(Object.keys(readManifest().peerDependencies).sort(), declared("peer").sort());
});

test("every package of npm's has the licence that is declared, and a permissive one", (t) => {
  const ofNpm = PARTS.filter(({ ways }) =>
    ways.some((way) => way === "installed" || way === "copied" || way === "peer"),
  );
  for (const { name, licence } of ofNpm) {
    const spdx = "spdx" in licence ? licence.spdx : "";
    t.is(locked(name).license, spdx, name);
    t.regex(spdx, PERMISSIVE, name);
  }
});

test("every part whose text lies in the package is copied with its licence", (t) => {
  const folder = join(ROOT, "third-party", "node-api");
  const licences = readdirSync(folder).filter((name) => name.startsWith("LICENSE-"));
  t.deepEqual(
    licences.sort(),
    declared("copied")
      .map((name) => `LICENSE-${name}`)
      .sort(),
  );
  t.deepEqual(
    PARTS.filter(({ ways, text }) => ways.includes("copied") && text === undefined),
    [],
  );
});

test("every library that an addon is linked with is declared", (t) => {
  const prebuilt = join(ROOT, "prebuilds");
  const addons = [
    join(ROOT, "build", "Release", "papo.node"),
    ...(existsSync(prebuilt) ? readdirSync(prebuilt, { recursive: true, encoding: "utf8" }) : [])
      .filter((name) => name.startsWith("linux-") && name.endsWith(".node"))
      .map((name) => join(prebuilt, name)),
  ];
  if (process.platform !== "linux" || !existsSync(addons[0] as string)) addons.shift();
  t.true(process.platform !== "linux" || addons.length > 0, "an addon (`npm run build`)");
  for (const path of addons) {
    using elf = new ElfFile(path);
    const { needed } = elf.links();
    t.true(needed.length > 1, path);
    const strange = needed.filter((name) => !PARTS.some(({ libraries }) => libraries?.test(name)));
    t.deepEqual(strange, [], path);
  }
});

for (const [name, text] of Object.entries(LICENCE_FILES)) {
  test(`${name} is what \`npm run licences\` writes`, (t) => {
    t.is(readFileSync(join(ROOT, name), "utf8"), text());
  });
}

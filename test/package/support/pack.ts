/** The tarball as it is published, made once per process, with a prebuilt addon for this platform in it. */
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { libcOfProcess } from "../../../lib/addon/libc.js";

export const ROOT: string = fileURLToPath(new URL("../../..", import.meta.url));

export interface PackedFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly mode: number;
}

export interface Packed {
  /** Of the `.tgz`, in a folder of its own that goes with the process. */
  readonly path: string;
  readonly name: string;
  readonly version: string;
  /** Bytes of the tarball, and of what is in it. */
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly PackedFile[];
  /** Where the addon comes from: the checkout's `prebuilds/`, or its build, stripped. */
  readonly addon: "prebuilds" | "build";
}

/** The file that `npm run build:prebuilds` makes for this machine. */
export const PREBUILT: string = join(
  "prebuilds",
  `${process.platform}-${process.arch}`,
  // prebuildify writes glibc wherever it is not musl.
  `papo.${libcOfProcess() ?? "glibc"}.node`,
);
const BUILT = join("build", "Release", "papo.node");

let made: Packed | undefined;

/** The packed package; the one that PAPO_PACKED tells of, where a release made it. Throws where the checkout is not built. */
export function packed(): Packed {
  const report = process.env.PAPO_PACKED;
  made ??= report ? (JSON.parse(readFileSync(report, "utf8")) as Packed) : pack();
  return made;
}

function pack(): Packed {
  for (const needed of ["dist/index.js", "dist/cli/main.js"]) {
    if (!existsSync(join(ROOT, needed)))
      throw new Error(`no ${needed}: npm run build:lib makes it`);
  }
  if (!existsSync(join(ROOT, "third-party/node-api/napi.h"))) {
    execFileSync(process.execPath, [join(ROOT, "native", "copy-headers.mjs")]);
  }
  const folder = mkdtempSync(join(tmpdir(), "papo-pack-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const addon = isPrebuilt() ? "prebuilds" : "build";
  const from = addon === "prebuilds" ? ROOT : staged(join(folder, "package"));
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
  const output = execFileSync("npm", args, {
    cwd: from,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  type Report = Omit<Packed, "path" | "addon"> & { readonly filename: string };
  // npm 11 prints a list, npm 12 an object by the packages' names.
  const [report] = Object.values(JSON.parse(output) as Record<string, Report>);
  const { filename, name, version, size, unpackedSize, files } = report as Report;
  return { path: join(folder, filename), name, version, size, unpackedSize, files, addon };
}

/** Whether there is a prebuilt addon, and none that was built after it. */
function isPrebuilt(): boolean {
  const [prebuilt, built] = [PREBUILT, BUILT].map((path) =>
    statSync(join(ROOT, path), { throwIfNoEntry: false }),
  );
  return prebuilt !== undefined && !(built && built.mtimeMs > prebuilt.mtimeMs);
}

/** A copy of what is published, with the checkout's build where prebuildify would put it, stripped as it does. */
function staged(folder: string): string {
  if (!existsSync(join(ROOT, BUILT))) {
    throw new Error(`neither ${PREBUILT} nor ${BUILT}: npm run build:native makes the second`);
  }
  const { files } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    files: string[];
  };
  mkdirSync(folder);
  for (const name of [...files, "package.json", "README.md", "LICENSE"]) {
    if (existsSync(join(ROOT, name))) {
      cpSync(join(ROOT, name), join(folder, name), { recursive: true });
    }
  }
  const target = join(folder, PREBUILT);
  mkdirSync(join(target, ".."), { recursive: true });
  copyFileSync(join(ROOT, BUILT), target);
  execFileSync("strip", process.platform === "darwin" ? [target, "-Sx"] : [target, "--strip-all"]);
  return folder;
}

/** Ways to use the installed package: what every runtime is put through. */
import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { tryBundleAlone, tryBundleBesidePrebuilds, tryBundleInProject } from "./bundles.js";
import { copiedProject, installedProject, packageIn } from "./installed.js";
import { PREBUILT, ROOT } from "./pack.js";
import { checkReadmeProgram } from "./readme.js";
import { type Runtime, runProgram } from "./runtimes.js";

export interface Way {
  /** The column. */
  readonly name: string;
  /** What a test of it says behind the runtime's name. */
  readonly sentence: string;
  /** Why a runtime cannot be asked for it. */
  readonly reason?: (runtime: Runtime) => string | undefined;
  readonly attempt: (runtime: Runtime) => Promise<void>;
}

/** What a program prints as JSON in its last line. */
// biome-ignore lint/suspicious/noExplicitAny: a document is looked into freely
type Document = any;

async function documentOf(
  runtime: Runtime,
  program: readonly string[],
  flags?: readonly string[],
): Promise<Document> {
  const cwd = await installedProject();
  const printed = await runProgram(runtime, program, flags ? { cwd, flags } : { cwd });
  return JSON.parse(printed.trimEnd().split("\n").at(-1) as string);
}

const readme = (name: string) => async (runtime: Runtime) => {
  const cwd = await installedProject();
  checkReadmeProgram(await runProgram(runtime, [name], { cwd }));
};

const program = (name: string) => async (runtime: Runtime) => {
  await documentOf(runtime, [`${name}.js`]);
};

/** Flags with which papo loads, no more than it takes, and the same without the one for addons. */
function permissions({ kind, major }: Runtime, project: string): { all: string[]; few: string[] } {
  if (kind === "deno") {
    const reading = ["--allow-read=.", "--allow-env=PAPO_ADDON_PATH,PAPO_NUM_THREADS"];
    const few = ["run", "--no-prompt", "--no-lock", ...reading];
    return { all: [...few, "--allow-ffi=."], few };
  }
  const few = [
    major < 22 ? "--experimental-permission" : "--permission",
    `--allow-fs-read=${join(project, "*")}`,
  ];
  return { all: [...few, "--allow-addons"], few };
}

const withoutPermissions = ({ kind }: Runtime) =>
  kind === "bun" ? "Bun has no permissions" : undefined;

async function tryPermitted(runtime: Runtime): Promise<void> {
  const project = await installedProject();
  const { all } = permissions(runtime, project);
  const { path } = await documentOf(runtime, ["load.js"], all);
  assert.equal(path, join(packageIn(project), PREBUILT));
}

async function tryRefused(runtime: Runtime): Promise<void> {
  const project = await installedProject();
  const { few } = permissions(runtime, project);
  const { code, message } = await documentOf(runtime, ["load.js"], few);
  assert.equal(code, "ERR_UNSUPPORTED", message);
  assert.match(message, /this process may not load addons/);
  assert.match(message, runtime.kind === "deno" ? /deno with --allow-ffi/ : /--allow-addons/);
}

async function tryTwice(runtime: Runtime): Promise<void> {
  const other = await copiedProject();
  const { mixed } = await documentOf(runtime, ["twice.js", other]);
  assert.match(mixed, /expected logits to be a Tensor, received a Tensor of another copy of papo/);
}

/** `papo info`, `papo loss`, `papo check` as the program that the package installs. */
async function tryCommand(runtime: Runtime): Promise<void> {
  const cwd = await installedProject();
  const main = join(cwd, "node_modules", "papo", "dist", "cli", "main.js");
  const papo = async (...args: string[]): Promise<Document> =>
    JSON.parse(await runProgram(runtime, [main, ...args, "--json"], { cwd }));
  copyFileSync(
    join(ROOT, "test/golden/odd-plain-papo_g_7b.safetensors"),
    join(cwd, "batch.safetensors"),
  );
  const info = await papo("info");
  assert.equal(info.addon.path, join(packageIn(cwd), PREBUILT));
  assert.equal(info.runtime, runtime.kind === "node" ? undefined : runtime.name);
  const { loss } = await papo("loss", "batch.safetensors", "--preset", "papo-g-7b");
  assert.ok(Number.isFinite(loss));
  const check = await papo("check", "batch.safetensors");
  assert.equal(check.holds, true, JSON.stringify(check));
}

/** In the order of the table's columns. */
export const WAYS: readonly Way[] = [
  { name: "import", sentence: "runs README's program", attempt: readme("readme-esm.mjs") },
  {
    name: "require",
    sentence: "runs README's program through require",
    attempt: readme("readme.cjs"),
  },
  {
    name: "async",
    sentence: "runs README's program asynchronously",
    attempt: readme("readme-async.mjs"),
  },
  {
    name: "signal",
    sentence: "runs evaluations at once, and aborts by an AbortSignal",
    attempt: program("abort"),
  },
  {
    name: "sub-paths",
    sentence: "imports and requires every sub-path, and nothing else",
    attempt: program("subpaths"),
  },
  {
    name: "dtypes",
    sentence: "takes 16-bit logits in every kind of array that it has",
    attempt: program("arrays"),
  },
  { name: "workers", sentence: "evaluates in four workers at once", attempt: program("workers") },
  {
    name: "terminate",
    sentence: "survives workers that are terminated in the middle of their work",
    attempt: program("terminate"),
  },
  { name: "twice", sentence: "carries two copies of the package", attempt: tryTwice },
  {
    name: "permitted",
    sentence: "loads the addon with few permissions",
    reason: withoutPermissions,
    attempt: tryPermitted,
  },
  {
    name: "refused",
    sentence: "says which permission is missing",
    reason: withoutPermissions,
    attempt: tryRefused,
  },
  { name: "command", sentence: "runs papo info, loss and check", attempt: tryCommand },
  {
    name: "bundle",
    sentence: "runs bundles in a project that has papo, with papo in them and without",
    attempt: tryBundleInProject,
  },
  {
    name: "bundle away",
    sentence: "runs a bundle far from the package, beside a folder of prebuilt addons",
    attempt: tryBundleBesidePrebuilds,
  },
  {
    name: "bundle alone",
    sentence: "says what a bundle without addon needs",
    attempt: tryBundleAlone,
  },
];

/** The command as a process, `papo info`, and help. */
import { execFile, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test, { type TestFn } from "ava";
import { runtimeOf, showSurroundings } from "../../lib/cli/surroundings.js";
import {
  ADVANTAGE_KINDS,
  describeSurrogates,
  KL_FORMULAS,
  PART_FORMULAS,
  PERCEPTION_KL_ESTIMATORS,
  PRESET_IDS,
  REDUCTION_FORMULAS,
  REDUCTIONS,
  SPEC_KEYS,
} from "../../lib/index.js";
import { goldenPath } from "../support/golden.js";
import { BatchBytes, folder, papo, papoJson, type Ran } from "./papo.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Runs the command in a process of its own. */
function spawn(args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  const command = ["--import=tsx", "lib/cli/main.ts", ...args];
  return new Promise((resolve) => {
    const options = { cwd: ROOT, env: { ...process.env, ...env } };
    execFile(process.execPath, command, options, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
    });
  });
}

/** Sends a signal to its own process before it makes a temporary file, and waits until that has come. */
const SIGNALS_ITSELF = (signal: string) => `data:text/javascript,
  import promises from "node:fs/promises";
  import { syncBuiltinESMExports } from "node:module";
  const { open } = promises;
  promises.open = async (path, ...rest) => {
    const handle = await open(path, ...rest);
    if (!String(path).endsWith(".tmp")) return handle;
    const come = new Promise((resolve) => process.once("${signal}", resolve));
    process.kill(process.pid, "${signal}");
    const alive = setInterval(() => {}, 1000);
    await come;
    clearInterval(alive);
    return handle;
  };
  syncBuiltinESMExports();`;

for (const signal of ["SIGTERM", "SIGHUP"]) {
  const unlessWindows = (process.platform === "win32" ? test.skip : test) as TestFn;
  unlessWindows(`${signal} while a result is written leaves nothing of it`, async (t) => {
    const path = folder(t);
    const preload = `--import=${SIGNALS_ITSELF(signal).replaceAll(/\s+/g, " ")}`;
    const args = ["loss", goldenPath("odd-plain-papo_g_7b"), "--out", join(path, "result")];
    const command = [preload, "--import=tsx", "lib/cli/main.ts", ...args];
    const { status, stderr } = spawnSync(process.execPath, command, {
      cwd: ROOT,
      encoding: "utf8",
    });
    t.is(status, 130, stderr);
    t.deepEqual(readdirSync(path), []);
  });
}

test("a runtime that is not Node is named beside the Node that it is like", (t) => {
  t.is(runtimeOf({ node: "20.19.0" }), undefined);
  t.is(runtimeOf({ node: "26.3.0", bun: "1.4.5" }), "Bun 1.4.5");
  t.is(runtimeOf({ node: "24.1.0", deno: "2.9.6" }), "Deno 2.9.6");
  const known = { version: "1.0.0", node: "v26.3.0", platform: "linux-x64" };
  const line = (runtime?: string) =>
    showSurroundings({ ...known, ...(runtime && { runtime }) })[1]?.[1];
  t.is(line(), "v26.3.0, linux-x64");
  t.is(line("Bun 1.4.5"), "v26.3.0 (Bun 1.4.5), linux-x64");
});

test("a process checks a golden file and ends with 0", async (t) => {
  const { code, stdout, stderr } = await spawn(["check", goldenPath("tiny-plain-papo_g_3b")]);
  t.is(code, 0);
  t.is(stderr, "");
  t.regex(stdout, /1 of 1 files hold, 17 of 17 quantities\n$/);
});

test("a process ends with 1 where a quantity does not hold", async (t) => {
  const bytes = new BatchBytes(goldenPath("tiny-plain-papo_g_3b"));
  bytes.array("expected.ref_kl")[0] = 0.5;
  const path = bytes.write(join(folder(t), "wrong.safetensors"));
  const { code, stdout } = await spawn(["check", path, "--json"]);
  t.is(code, 1);
  t.false(JSON.parse(stdout).holds);
});

test("a process ends with 3 and one sentence where a file is missing", async (t) => {
  const { code, stdout, stderr } = await spawn(["loss", "/does/not/exist"]);
  t.is(code, 3);
  t.is(stdout, "");
  t.regex(stderr, /^papo loss: \/does\/not\/exist: expected a file that can be read, .*\n$/);
});

test("info says what is loaded", async (t) => {
  const { code, json } = await papoJson(["info"]);
  const packed = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8")) as { version: string };
  t.is(code, 0);
  t.is(json.version, packed.version);
  t.is(json.node, process.version);
  t.true(existsSync(json.addon.path));
  t.true(json.isas.includes(json.isa));
  t.true(json.threads >= 1);
  t.deepEqual(json.devices[0], { device: "cpu", available: true });
  t.true(json.ops.includes("papo_loss"));
  t.true(json.estimators.perceptionKl.includes("exact"));
  t.deepEqual(json.reductions, REDUCTIONS);
  t.deepEqual(Object.keys(json.presets), PRESET_IDS);
});

test("info lists every objective with all that the tables say of it", async (t) => {
  const { json } = await papoJson(["info"]);
  t.deepEqual(json.surrogates, describeSurrogates());
  const sapo = json.surrogates.find(({ kind }: { kind: string }) => kind === "sapo");
  t.like(sapo.parameters[0], { name: "temperaturePositive", default: 1, min: 1e-4 });
  const namesOf = (entries: { name: string }[]) => entries.map(({ name }) => name);
  t.deepEqual(namesOf(json.formulas.kl), Object.keys(KL_FORMULAS));
  t.deepEqual(namesOf(json.formulas.kl).sort(), [...PERCEPTION_KL_ESTIMATORS].sort());
  t.deepEqual(namesOf(json.formulas.reductions), REDUCTIONS);
  t.deepEqual(namesOf(json.formulas.parts), Object.keys(PART_FORMULAS));
  t.is(json.formulas.entropy.length, 4);
  t.deepEqual(
    json.advantages.map(({ kind }: { kind: string }) => kind),
    ADVANTAGE_KINDS,
  );
  t.like(json.rollout, { modes: ["truncate", "mask"], defaults: { level: "token", max: 2 } });
});

test("info has a line for each of them", async (t) => {
  const { stdout } = await papo(["info"]);
  const lines = stdout.split("\n");
  const names = [
    ...describeSurrogates().map(({ kind, aliases }) => [kind, ...aliases].join(", ")),
    ...[KL_FORMULAS, REDUCTION_FORMULAS, PART_FORMULAS].flatMap((table) => Object.keys(table)),
    ...ADVANTAGE_KINDS,
    ...PRESET_IDS,
  ];
  for (const name of names)
    t.true(
      lines.some((line) => line.startsWith(`${name}  `)),
      name,
    );
});

test("info says why a device is not there", async (t) => {
  const { json } = await papoJson(["info"]);
  const cuda = json.devices.find(({ device }: { device: string }) => device.startsWith("cuda"));
  if (cuda.available) return t.is(typeof cuda.name, "string");
  t.true(cuda.reason.length > 0);
  const { stdout } = await papo(["info"]);
  t.regex(stdout, /cuda: not available, .+\n/);
});

test("the version is that of the package", async (t) => {
  const { code, stdout } = await papo(["--version"]);
  t.is(code, 0);
  t.regex(stdout, /^\d+\.\d+\.\d+\n$/);
});

test("every help has an example and fits 90 columns", async (t) => {
  for (const command of [[], ["info"], ["build"], ["loss"], ["check"]]) {
    const args = [...command, "--help"];
    const { code, stdout, stderr } = await papo(args);
    t.is(code, 0);
    t.is(stderr, "");
    t.regex(stdout, /^Usage: papo[\s\S]*\nExamples:\n {2}\$ papo/);
    t.true(Math.max(...stdout.split("\n").map((line) => line.length)) <= 90);
  }
  const { stdout } = await papo(["loss", "--help"]);
  const words = new Set(stdout.split(/[^\w-]+/));
  for (const word of [...SPEC_KEYS, ...PRESET_IDS]) t.true(words.has(word), word);
});

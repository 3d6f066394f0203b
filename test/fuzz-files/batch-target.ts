/** Spoiled batches on the command line: a result or a sentence, never an internal error, and no file where it failed. */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { run } from "../../lib/cli/run.js";
import { SafetensorsFile } from "../../lib/io/safetensors.js";
import { checkWords } from "./judge.js";
import { mutations, spoiled } from "./mutations.js";
import { Outcomes } from "./outcomes.js";
import { BATCHES, nameIn } from "./seeds.js";
import type { Target } from "./targets.js";

const outcomes = new Outcomes();

const command = fc.constantFrom(
  ["loss"],
  ["loss", "--json"],
  ["loss", "--per-token", "--block-rows", "1"],
  ["loss", "--preset", "papo-d-7b", "--out"],
  ["loss", "--grad-dtype", "float32", "--out"],
  ["check"],
  ["check", "--json"],
  ["check", "--quiet", "--set", "perceptionKlCoef=0.5"],
);

async function check(path: string, words: readonly string[]): Promise<void> {
  const out = `${path}.out`;
  const wantsFile = words.at(-1) === "--out";
  const args = [words[0] as string, path, ...words.slice(1), ...(wantsFile ? [out] : [])];
  const said = { stdout: "", stderr: "" };
  const stream = (name: keyof typeof said) => ({
    write: (text: string) => {
      said[name] += text;
    },
  });
  const code = await run(args, { stdout: stream("stdout"), stderr: stream("stderr"), env: {} });
  outcomes.add(`exit ${code}`);
  const wanted = words[0] === "check" ? [0, 1, 2, 3] : [0, 2, 3];
  if (!wanted.includes(code)) throw new Error(`exit ${code}: ${said.stderr}`);
  checkWords(said.stdout, Number.POSITIVE_INFINITY);
  checkWords(said.stderr, 8000);
  if (words.includes("--json")) JSON.parse(said.stdout);
  if (!wantsFile) return;
  if (existsSync(out) !== (code === 0)) throw new Error(`exit ${code}, and a result file or not`);
  const left = readdirSync(dirname(path)).filter((name) => name.endsWith(".tmp"));
  if (left.length > 0) throw new Error(`exit ${code} leaves ${left.join(", ")}`);
  if (code !== 0) return;
  const file = await SafetensorsFile.open(out);
  await file.close();
  rmSync(out);
}

export const batchTarget: Target = {
  name: "batch",
  share: 0.2,
  outcomes,
  property: (folder) =>
    fc.asyncProperty(nameIn(BATCHES), mutations, command, async (name, list, words) => {
      mkdirSync(join(folder, "batch"), { recursive: true });
      const path = join(folder, "batch", "x.safetensors");
      writeFileSync(path, spoiled(BATCHES.get(name) as Buffer, list));
      await check(path, words);
    }),
};

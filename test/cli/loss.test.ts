/** `papo loss`: its numbers, its result file, and reading in blocks. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { Objective, preset } from "../../lib/index.js";
import { SafetensorsFile } from "../../lib/io/safetensors.js";
import { fromBfloat16, fromFloat16 } from "../../lib/tensor/half.js";
import { assertClose } from "../support/close.js";
import { GOLDEN_NAMES, goldenPath, loadGolden } from "../support/golden.js";
import { GRADIENT_TOLERANCES, TOLERANCES } from "../support/tolerances.js";
import { BatchBytes, type Changes, folder, namesIn, papo, papoJson, rewrite } from "./papo.js";

const [TINY, ODD, PACKED, BF16] = [
  "tiny-plain-papo_exact",
  "odd-plain-papo_g_7b",
  "odd-plain-papo_exact-packed",
  "tiny-plain-papo_exact-bf16",
].map(goldenPath) as [string, string, string, string];

async function readAll(path: string) {
  const file = await SafetensorsFile.open(path);
  const tensors = new Map<string, ArrayBufferView>();
  for (const name of file.tensors.keys()) tensors.set(name, await file.read(name));
  await file.close();
  return { tensors, info: file.tensors, metadata: file.metadata };
}

/** Everything in a result file as numbers. */
async function numbersIn(path: string): Promise<ReadonlyMap<string, ArrayLike<number>>> {
  const { tensors, info } = await readAll(path);
  const numbers = [...tensors].map(([name, values]) => {
    const { dtype } = info.get(name) as { dtype: string };
    const from = { BF16: fromBfloat16, F16: fromFloat16 }[dtype];
    return [name, from ? from(values as Uint16Array) : (values as Float64Array)] as const;
  });
  return new Map(numbers);
}

for (const golden of GOLDEN_NAMES) {
  test(`${golden}: the result file holds the expected numbers`, async (t) => {
    const out = join(folder(t), "result.safetensors");
    const { code } = await papo(["loss", goldenPath(golden), "--out", out]);
    t.is(code, 0);
    const result = await numbersIn(out);
    const { expected, counted, dtype } = await loadGolden(golden);
    for (const [name, values] of expected) {
      const isGradient = name.startsWith("grad_");
      const tolerance = isGradient ? GRADIENT_TOLERANCES[dtype] : TOLERANCES.golden;
      // Absent is all zeros.
      const computed = result.get(name) ?? (isGradient ? new Float64Array(values.length) : []);
      const elements = name.startsWith("tokens.") ? { elements: counted } : {};
      assertClose(t, name, computed, values, tolerance, elements);
    }
  });
}

test("gradients of an objective that couples rows come from one block of all rows", async (t) => {
  const out = join(folder(t), "result.safetensors");
  const set = ["--set", "surrogate=gspo", "--set", 'perceptionTokenMask={"top":0.5}'];
  t.is((await papo(["loss", ODD, ...set, "--out", out])).code, 0);
  t.true((await numbersIn(out)).get("grad_logits") !== undefined);
  const cut = await papo(["loss", ODD, ...set, "--block-rows", "2", "--out", out]);
  t.not(cut.code, 0);
  t.regex(cut.stderr, /all rows in one block with surrogate "gspo" and gradients, received 2 of/);
  const forward = ["loss", ODD, ...set];
  const whole = await papoJson(forward);
  const blocks = await papoJson([...forward, "--block-rows", "2"]);
  t.is(typeof whole.json.loss, "number");
  t.is(blocks.json.loss, whole.json.loss);
});

test("a result file is what a batch file expects, name for name", async (t) => {
  const path = folder(t);
  const out = join(path, "result.safetensors");
  await papo(["loss", ODD, "--set", "maskedBranch=differentiable", "--out", out]);
  const { tensors, info, metadata } = await readAll(out);
  const answers = [...tensors].map(([name, data]) => [
    `expected.${name}`,
    { ...(info.get(name) as { dtype: string; shape: readonly number[] }), data },
  ]);
  const narrowed = answers.map(([name, entry]) => {
    const { dtype, shape, data } = entry as { dtype: string; shape: number[]; data: Float64Array };
    return [name, { dtype, shape, data }];
  });
  const batch = await rewrite(
    ODD,
    join(path, "batch.safetensors"),
    Object.fromEntries(narrowed) as Changes,
    { objective: metadata.get("objective") as string },
  );
  const { code, json } = await papoJson(["check", batch]);
  t.is(code, 0);
  const errors = json.files[0].quantities.map(({ error }: { error: number }) => error);
  t.is(Math.max(...errors), 0);
  t.is(errors.length, tensors.size);
});

test("blocks of any size give the same file to the last bit", async (t) => {
  const path = folder(t);
  for (const batch of [ODD, PACKED, BF16]) {
    const whole = join(path, "whole.safetensors");
    const corrected = ["--preset", "papo-g-7b", "--form", "corrected"];
    await papo(["loss", batch, "--out", whole, ...corrected]);
    for (const rows of ["1", "2", "3", "7", "1000", "automatic"]) {
      const blocks = join(path, "blocks.safetensors");
      const args = ["loss", batch, "--out", blocks, "--block-rows", rows, ...corrected];
      t.is((await papo(args)).code, 0);
      t.deepEqual(readFileSync(blocks), readFileSync(whole), `${batch} in blocks of ${rows}`);
    }
    for (const rows of ["1", "2", "3"]) {
      t.is((await papo(["check", batch, "--block-rows", rows])).code, 0);
    }
  }
});

test("gradients come in float32 and scaled where that is asked for", async (t) => {
  const path = folder(t);
  const [plain, scaled] = [join(path, "plain.safetensors"), join(path, "scaled.safetensors")];
  await papo(["loss", BF16, "--out", plain]);
  await papo(["loss", BF16, "--out", scaled, "--grad-dtype", "float32", "--grad-scale", "1024"]);
  const { info, metadata } = await readAll(scaled);
  t.is(info.get("grad_logits")?.dtype, "F32");
  t.is(info.get("grad_masked_logits")?.dtype, "F32");
  t.is(metadata.get("grad_scale"), "1024");
  t.is((await readAll(plain)).info.get("grad_logits")?.dtype, "BF16");
  const { expected } = await loadGolden("tiny-plain-papo_exact-bf16");
  const gradient = Array.from((await numbersIn(scaled)).get("grad_logits") ?? [], (x) => x / 1024);
  const wanted = expected.get("grad_logits") as Float64Array;
  assertClose(t, "grad_logits", gradient, wanted, GRADIENT_TOLERANCES.float32);
});

test("the objective is the preset's, else the file's, else the defaults", async (t) => {
  const path = folder(t);
  const silent = await rewrite(TINY, join(path, "silent.safetensors"), {}, {});
  const own = await papoJson(["loss", TINY]);
  t.is(own.json.objective.perceptionKlEstimator, "exact");
  t.is(own.json.objectiveFrom, "the file's own");
  const named = await papoJson(["loss", TINY, "--preset", "papo-d-3b", "--form", "corrected"]);
  t.deepEqual(named.json.objective, { ...preset("papo-d-3b", { form: "corrected" }) });
  const none = await papoJson(["loss", silent]);
  t.deepEqual(none.json.objective, { ...new Objective({}).spec });
  t.regex(none.json.notes[0], /no objective and no preset/);
  const { stderr } = await papo(["loss", silent]);
  t.regex(stderr, /^note: the file has no objective and no preset is given: the defaults are used/);
});

test("--set changes keys: JSON, numbers as people write them, and words", async (t) => {
  const schedule = '{"kind":"linear","from":0,"to":0.1,"steps":10}';
  const sets = ["refKlCoef=.02", "reduction=sum", "exactKlLimit=7", "klLimit=null"];
  const args = [...sets, `entropyCoef=${schedule}`].flatMap((text) => ["--set", text]);
  const { json } = await papoJson(["loss", TINY, ...args, "--step", "5"]);
  t.like(json.objective, { refKlCoef: 0.02, reduction: "sum", exactKlLimit: 7, klLimit: null });
  t.is(json.terms.entropy.coefficient, 0.05);
  t.regex(json.objectiveFrom, /^the file's own, with refKlCoef=\.02, reduction=sum/);
});

test("contributions add up to the loss, the perception KL with its minus", async (t) => {
  const { json } = await papoJson(["loss", ODD, "--preset", "papo-g-7b"]);
  const terms = Object.values(json.terms) as Record<string, number>[];
  const sum = terms.reduce((total, { contribution = 0 }) => total + contribution, 0);
  assertClose(t, "sum", sum, json.loss, TOLERANCES.float64);
  const shares = terms.reduce((total, { gradientShare = 0 }) => total + gradientShare, 0);
  assertClose(t, "shares", shares, 1, TOLERANCES.float64);
  t.is(json.terms.perceptionKl.coefficient, -0.02);
  t.true(json.terms.perceptionKl.contribution < 0);
  t.false("gradShareSurrogate" in json.metrics);
});

test("the tables are aligned and end in no blanks", async (t) => {
  const { code, stdout, stderr } = await papo(["loss", ODD, "--preset", "papo-g-7b"]);
  t.is(code, 0);
  t.regex(stderr, /^warning: maskedEntropyCoef with maskedBranch "constant"/);
  t.regex(stdout, /^batch {6}.*odd-plain-papo_g_7b\.safetensors\n/);
  t.regex(stdout, /float32 \[3, 5, 97\], 11 of 15 tokens count, 3 sequences\n/);
  t.regex(stdout, /\nloss {7}0\.888910\d+\n/);
  t.regex(stdout, /\nperceptionKl {3}0\.261672 {8}-0\.02 {3}-0\.00523343 {5}2\.5 %\n/);
  t.notRegex(stdout, / \n/);
  const columns = stdout.split("\n").filter((line) => / %$|gradient$/.test(line));
  t.is(columns.length, 6);
  t.is(new Set(columns.map((line) => line.length)).size, 1);
});

test("--per-token gives the counted tokens in a table, all of them in JSON", async (t) => {
  const { stdout } = await papo(["loss", ODD, "--per-token"]);
  const lines = stdout.slice(stdout.indexOf("\ntoken ")).trim().split("\n");
  t.is(lines.length, 1 + 11);
  t.regex(lines[0] as string, /^token +id +logProbs +maskedLogProbs +entropy/);
  t.regex(lines[1] as string, /^\[0, 0\] /);
  const { json } = await papoJson(["loss", ODD, "--per-token"]);
  t.is(json.tokens.logProbs.length, 15);
  t.true(json.tokens.kl.every(Number.isFinite));
});

test("every form of ids, masks and advantages reads the same", async (t) => {
  const path = join(folder(t), "forms.safetensors");
  const { tokenIds, responseMask, advantages } = await loadGolden("odd-plain-papo_g_7b");
  const mask = responseMask as Int32Array;
  const shape = [3, 5];
  const forms: Changes[] = [
    { response_mask: { dtype: "I32", shape, data: mask } },
    { response_mask: { dtype: "U8", shape, data: Uint8Array.from(mask) } },
    { response_mask: { dtype: "BOOL", shape, data: Uint8Array.from(mask) } },
    { token_ids: { dtype: "I64", shape, data: BigInt64Array.from(tokenIds, BigInt) } },
    { advantages: { dtype: "F64", shape, data: Float64Array.from(advantages) } },
  ];
  for (const form of forms) {
    t.is((await papo(["check", await rewrite(ODD, path, form)])).code, 0, Object.keys(form)[0]);
  }
  const perSequence = { dtype: "F32", shape: [3], data: Float32Array.of(1, -2, 3) };
  const spread = Float32Array.from({ length: 15 }, (_, i) => [1, -2, 3][Math.floor(i / 5)] ?? 0);
  const one = await papoJson(["loss", await rewrite(ODD, path, { advantages: perSequence })]);
  const perRow = { dtype: "F32", shape, data: spread };
  const all = await papoJson(["loss", await rewrite(ODD, path, { advantages: perRow })]);
  t.deepEqual(one.json, all.json);
});

test("constant masked log-probs stand in for masked logits", async (t) => {
  const path = folder(t);
  const data = (await loadGolden("tiny-plain-papo_d")).expected.get("tokens.masked_log_probs");
  const batch = await rewrite(goldenPath("tiny-plain-papo_d"), join(path, "batch.safetensors"), {
    masked_logits: undefined,
    masked_log_probs: { dtype: "F64", shape: [2, 3], data: data as Float64Array },
  });
  const out = join(path, "result.safetensors");
  const { json } = await papoJson(["loss", batch, "--out", out]);
  const whole = await papoJson(["loss", goldenPath("tiny-plain-papo_d")]);
  assertClose(t, "loss", json.loss, whole.json.loss, TOLERANCES.golden);
  const { info } = await readAll(out);
  t.true(info.has("tokens.masked_log_probs"));
  t.true(info.has("tokens.perception_kl"));
  t.false(info.has("tokens.kl"));
});

test("a batch without old log-probs is on policy", async (t) => {
  const path = join(folder(t), "on-policy.safetensors");
  const { json } = await papoJson([
    "loss",
    await rewrite(ODD, path, { old_log_probs: undefined }),
    "--per-token",
  ]);
  t.true(json.tokens.ratio.every((ratio: number) => ratio === 1 || ratio === 0));
});

test("a term without its input says so in its line", async (t) => {
  const path = join(folder(t), "no-reference.safetensors");
  const bare = await rewrite(ODD, path, { ref_log_probs: undefined });
  const { code, stdout } = await papo(["loss", bare, "--set", "refKlCoef=0"]);
  t.is(code, 0);
  t.regex(stdout, /\nrefKl .* no input\n/);
});

test("accuracies in a batch bring the SFT term with them", async (t) => {
  const accuracies = { dtype: "F32", shape: [3], data: Float32Array.of(1, 0, 1) };
  const path = await rewrite(ODD, join(folder(t), "accuracies.safetensors"), { accuracies });
  const { json } = await papoJson(["loss", path, "--set", "sftCoef=0.1"]);
  t.is(json.terms.sft.coefficient, 0.1);
  t.true(json.terms.sft.value > 0);
});

test("the step is in the result's metadata", async (t) => {
  const out = join(folder(t), "result.safetensors");
  t.is((await papo(["loss", TINY, "--step", "12", "--out", out])).code, 0);
  t.is((await readAll(out)).metadata.get("step"), "12");
});

test("a batch without rows has loss 0 and an empty gradient", async (t) => {
  const path = folder(t);
  const none = { dtype: "F32", shape: [0, 7], data: new Float32Array(0) };
  const rows = { dtype: "F32", shape: [0], data: new Float32Array(0) };
  const batch = await rewrite(
    TINY,
    join(path, "empty.safetensors"),
    {
      ...Object.fromEntries(
        Object.keys(new BatchBytes(TINY).header).map((name) => [name, undefined]),
      ),
      logits: none,
      masked_logits: none,
      token_ids: { dtype: "I32", shape: [0], data: new Int32Array(0) },
      advantages: rows,
    },
    {},
  );
  const out = join(path, "result.safetensors");
  const { code, json } = await papoJson(["loss", batch, "--out", out]);
  t.is(code, 0);
  t.is(json.loss, 0);
  t.deepEqual((await readAll(out)).info.get("grad_logits")?.shape, [0, 7]);
});

test("numbers that JSON does not have are strings in it", async (t) => {
  const bytes = new BatchBytes(TINY);
  const [logits, id] = [bytes.array("logits"), bytes.array("token_ids")[0] as number];
  logits[id] = -Infinity;
  bytes.array("masked_logits")[id] = -Infinity;
  const path = bytes.write(join(folder(t), "impossible.safetensors"));
  const { code, json } = await papoJson(["loss", path, "--per-token"]);
  t.is(code, 0);
  t.is(json.tokens.logProbs[0], "-Infinity");
  t.is(json.metrics.impossibleTokens, 1);
});

test("an error half-way leaves no result file, and an older one as it was", async (t) => {
  const path = folder(t);
  const bytes = new BatchBytes(ODD);
  const row = bytes.array("response_mask").lastIndexOf(1);
  bytes.array("logits")[row * 97 + 5] = NaN;
  const batch = bytes.write(join(path, "batch.safetensors"));
  const out = join(path, "result.safetensors");
  const first = await papo(["loss", batch, "--out", out, "--block-rows", "1"]);
  t.is(first.code, 3);
  t.is(first.stdout, "");
  t.regex(first.stderr, new RegExp(`papo loss: .*batch\\.safetensors: .*\\b${row}\\b`));
  t.deepEqual(namesIn(path), ["batch.safetensors"]);
  writeFileSync(out, "older");
  t.is((await papo(["loss", batch, "--out", out])).code, 3);
  t.is(readFileSync(out, "utf8"), "older");
  t.deepEqual(namesIn(path), ["batch.safetensors", "result.safetensors"]);
});

test("an interruption leaves no result file", async (t) => {
  const path = folder(t);
  const signal = AbortSignal.abort(new Error("SIGINT"));
  const out = join(path, "result.safetensors");
  const { code, stderr } = await papo(["loss", TINY, "--out", out], { signal });
  t.is(code, 130);
  t.regex(stderr, /papo loss: interrupted; nothing was written\n$/);
  t.deepEqual(namesIn(path), []);
});

/** Errors of the command line and of files: the exit code, and the one sentence. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { run } from "../../lib/cli/run.js";
import { goldenPath } from "../support/golden.js";
import { BatchBytes, type Changes, folder, papo, papoJson, rewrite } from "./papo.js";

const BATCH = goldenPath("tiny-plain-papo_exact");
const PACKED = goldenPath("odd-plain-papo_exact-packed");

/** Arguments, exit code, and the sentence after `papo: ` or `papo COMMAND: `. */
const usage: Record<string, readonly [readonly string[], RegExp]> = {
  "an unknown command": [["los"], /^unknown command 'los' \(Did you mean loss\?\)$/],
  "an unknown option": [["loss", BATCH, "--sett", "a=1"], /^unknown option '--sett'/],
  "no batch": [["loss"], /^missing required argument 'batch'$/],
  "no batches": [["check"], /^missing required argument 'batch'$/],
  "two batches for a loss": [["loss", BATCH, BATCH], /^too many arguments/],
  "an unknown preset": [
    ["loss", BATCH, "--preset", "papo-h"],
    /^expected the name of a preset \(papo-g-3b, .*vppo\), received "papo-h"$/,
  ],
  "an unknown form": [["loss", BATCH, "--preset", "grpo", "--form", "x"], /authors, corrected\.$/],
  "a form without a preset": [["loss", BATCH, "--form", "authors"], /so it needs --preset$/],
  "an unknown key": [
    ["loss", BATCH, "--set", "clip_lo=0.1"],
    /^--set clip_lo=0\.1: expected an objective to have known keys only, .*\(did you mean clipLow\?\)$/,
  ],
  "a key of another library": [
    ["check", BATCH, "--set", "beta=1"],
    /\(did you mean refKlCoef\?\)$/,
  ],
  "a prototype for a key": [["loss", BATCH, "--set", "__proto__={}"], /received "__proto__"$/],
  "a value out of range": [
    ["loss", BATCH, "--set", "clipLow=2"],
    /^--set clipLow=2: expected clipLow/,
  ],
  "a wrong word": [
    ["loss", BATCH, "--set", "reduction=mean"],
    /^--set reduction=mean: expected reduction/,
  ],
  "a key without a value": [
    ["loss", BATCH, "--set", "clipLow"],
    /^--set clipLow: expected key=value$/,
  ],
  "keys that do not fit together": [
    ["loss", BATCH, "--set", "clipDual=1.25"],
    /expected clipDual to be 0 \(off\) or above 1 \+ clipHigh = 1\.3, received 1\.25$/,
  ],
  "a schedule without a step": [
    ["loss", BATCH, "--set", 'refKlCoef={"kind":"cosine","from":0,"to":1,"steps":9}'],
    /^refKlCoef is a schedule: say with --step how many updates were made$/,
  ],
  "blocks of no rows": [["loss", BATCH, "--block-rows", "0"], /argument '0' is invalid/],
  "a step that is no number": [["loss", BATCH, "--step", "last"], /argument 'last' is invalid/],
  "a scale that is nothing": [["loss", BATCH, "--grad-scale", " "], /argument ' ' is invalid/],
  "a key that is set to nothing": [
    ["loss", BATCH, "--set", "clipLow="],
    /^--set clipLow=: expected clipLow .*, received ""$/,
  ],
  "a scale that is no number": [
    ["loss", BATCH, "--grad-scale", "big"],
    /argument 'big' is invalid/,
  ],
  "a gradient's dtype without a file": [["loss", BATCH, "--grad-dtype", "float32"], /in --out$/],
  "a device that does not exist": [
    ["loss", BATCH, "--device", "tpu"],
    /^expected device to be "cpu"/,
  ],
  "the batch for a result": [
    ["loss", BATCH, "--out", BATCH],
    /^--out names the batch file itself$/,
  ],
};

for (const [title, [args, sentence]] of Object.entries(usage)) {
  test(`usage: ${title}`, async (t) => {
    const before = readFileSync(BATCH);
    const { code, stdout, stderr } = await papo(args);
    t.is(code, 2);
    t.is(stdout, "");
    t.regex(stderr.replace(/^papo( loss| check)?: /, "").trimEnd(), sentence);
    t.is(stderr.split("\n").length, 2, "one line");
    t.deepEqual(readFileSync(BATCH), before);
    const { json } = await papoJson(args);
    t.like(json.error, { code: "ERR_USAGE", exitCode: 2 });
  });
}

test("what papo did not foresee is said to be its own error", async (t) => {
  let said = "";
  const stdout = {
    write: () => {
      throw new TypeError("a stream of somebody's own");
    },
  };
  const stderr = {
    write: (text: string) => {
      said += text;
    },
  };
  t.is(await run(["info"], { stdout, stderr, env: {} }), 70);
  t.is(
    said,
    "papo info: internal error, please report it: TypeError: a stream of somebody's own\n",
  );
});

test("papo alone prints its help on stderr", async (t) => {
  const { code, stdout, stderr } = await papo([]);
  t.is(code, 2);
  t.is(stdout, "");
  t.regex(stderr, /^Usage: papo/);
});

test("a device that is not there is an error with the reason, never the CPU instead", async (t) => {
  for (const command of ["loss", "check"]) {
    const { code, stdout, stderr } = await papo([command, BATCH, "--device", "cuda"]);
    t.is(code, 4);
    t.is(stdout, "");
    t.regex(stderr, /^papo (loss|check): cuda:0 is not available: .+\n$/);
    const { json } = await papoJson([command, BATCH, "--device", "cuda:3"]);
    t.like(json.error, { code: "ERR_DEVICE_UNAVAILABLE", exitCode: 4 });
  }
});

function f32(shape: readonly number[], fill = 0) {
  const data = new Float32Array(shape.reduce((size, n) => size * n, 1)).fill(fill);
  return { dtype: "F32", shape, data };
}
function i32(shape: readonly number[], ...values: number[]) {
  return { dtype: "I32", shape, data: Int32Array.from(values) };
}
const f64 = (shape: readonly number[]) => ({
  dtype: "F64",
  shape,
  data: new Float64Array(shape.reduce((size, n) => size * n, 1)),
});

/** Changes of a batch of [2, 3, 5], and the sentence after the file's name. */
const broken: Record<string, readonly [Changes, RegExp, string?]> = {
  "no logits": [{ logits: undefined }, /^expected a tensor "logits", received "/],
  "no tokens": [{ token_ids: undefined }, /^expected a tensor "token_ids", received "/],
  "no advantages": [{ advantages: undefined }, /^expected a tensor "advantages", received "/],
  "a misspelt name": [
    { responce_mask: f32([2, 3], 1) },
    /^expected only the tensors of a batch \(logits, .*\), received "responce_mask"$/,
  ],
  "logits of float64": [
    { logits: f64([2, 3, 5]) },
    /^expected the dtype of "logits" to be one of F32, BF16, F16, received F64$/,
  ],
  "logits of one dimension": [{ logits: f32([30]) }, /^expected "logits" \[.*, received \[30\]$/],
  "logits without a vocabulary": [{ logits: f32([2, 3, 0]) }, /a vocab of at least 1, received/],
  "masked logits of another shape": [
    { masked_logits: f32([2, 3, 6]) },
    /^expected "masked_logits" F32 \[2, 3, 5\] to match "logits", received F32 \[2, 3, 6\]$/,
  ],
  "masked logits and masked log-probs": [
    { masked_log_probs: f32([2, 3]) },
    /^expected "masked_logits" or "masked_log_probs", received both$/,
  ],
  "ids in float32": [
    { token_ids: f32([2, 3]) },
    /^expected the dtype of "token_ids".*I64, received F32$/,
  ],
  "ids of another shape": [
    { token_ids: i32([3, 2], 0, 0, 0, 0, 0, 0) },
    /^expected "token_ids" \[2, 3\], received \[3, 2\]$/,
  ],
  "an id outside the vocabulary": [
    { token_ids: i32([2, 3], 0, 5, 0, 0, 0, 0), response_mask: undefined },
    /^expected token_ids\[1\] .*received 5$/,
  ],
  "advantages for nobody": [
    { advantages: f32([4]) },
    /^expected "advantages" \[2, 3\] or \[2\], received \[4\]$/,
  ],
  "a mask that is neither 0 nor 1": [
    { response_mask: f32([2, 3], 0.5) },
    /^expected response_mask\[0\] to be 0 or 1, received 0\.5$/,
  ],
  "a mask in float64": [{ response_mask: f64([2, 3]) }, /^expected the dtype of "response_mask"/],
  "a log-prob that is NaN": [
    { old_log_probs: f32([2, 3], Number.NaN) },
    /^expected .*old_log_probs.*received NaN$/,
  ],
  "offsets beside padded sequences": [
    { cu_seqlens: i32([2], 0, 6) },
    /^expected "cu_seqlens" only beside logits \[rows, vocab\], received logits of three dimensions$/,
  ],
  "offsets that do not reach the end": [
    { cu_seqlens: i32([4], 0, 2, 4, 6) },
    /^expected cu_seqlens\[3\] to be 7, the number of rows, received 6$/,
    PACKED,
  ],
  "offsets of two dimensions": [
    { cu_seqlens: i32([2, 2], 0, 2, 4, 7) },
    /^expected "cu_seqlens" \[sequences \+ 1\], received \[2, 2\]$/,
    PACKED,
  ],
  "a term without its input": [
    { ref_log_probs: undefined },
    /^expected ref_log_probs, since refKlCoef is 0\.01, received none$/,
  ],
};

for (const [title, [changes, sentence, batch = BATCH]] of Object.entries(broken)) {
  test(`a batch with ${title} is an error that names the file`, async (t) => {
    const path = await rewrite(batch, join(folder(t), "broken.safetensors"), changes);
    for (const command of ["loss", "check"]) {
      const { code, stderr } = await papo([command, path]);
      t.is(code, 3);
      const prefix = `papo ${command}: ${path}: `;
      const line = stderr.split("\n").find((text) => text.startsWith("papo")) ?? "";
      t.true(line.startsWith(prefix), stderr);
      t.regex(line.slice(prefix.length), sentence);
    }
    const { json } = await papoJson(["loss", path]);
    t.like(json.error, { file: path, exitCode: 3 });
  });
}

test("an objective in the file that cannot be read is an error of the file", async (t) => {
  const path = folder(t);
  const broken = { json: "{", key: '{"cliplow": 1}', value: '{"clipLow": "a lot"}' };
  for (const [name, objective] of Object.entries(broken)) {
    const batch = await rewrite(BATCH, join(path, `${name}.safetensors`), {}, { objective });
    const { code, stderr } = await papo(["loss", batch]);
    t.is(code, 3);
    t.true(stderr.startsWith(`papo loss: ${batch}: expected `), stderr);
    t.is((await papo(["loss", batch, "--preset", "grpo"])).code, 0, "a preset does not read it");
  }
});

test("what is no batch file at all is an error", async (t) => {
  const path = folder(t);
  const bytes = readFileSync(BATCH);
  const files = {
    empty: Buffer.alloc(0),
    short: bytes.subarray(0, 5),
    "in the header": bytes.subarray(0, 100),
    "in the data": bytes.subarray(0, -4),
    "too long": Buffer.concat([bytes, Buffer.alloc(3)]),
    garbage: Buffer.from(Array.from({ length: 999 }, (_, i) => (i * 7919) % 251)),
    text: Buffer.from("logits: no\n".repeat(20)),
  };
  for (const [name, content] of Object.entries(files)) {
    const file = join(path, `${name}.safetensors`);
    writeFileSync(file, content);
    for (const command of ["loss", "check"]) {
      const { code, stderr, stdout } = await papo([command, file]);
      t.is(code, 3, name);
      t.true(stderr.startsWith(`papo ${command}: ${file}: expected `), stderr);
      t.is(stderr.split("\n").length, 2, "one line");
      if (command === "loss") t.is(stdout, "");
    }
  }
  mkdirSync(join(path, "folder"));
  for (const file of [join(path, "folder"), join(path, "missing")]) {
    t.is((await papo(["loss", file])).code, 3);
  }
});

test("control characters of a file do not reach the terminal", async (t) => {
  const path = join(folder(t), "bell.safetensors");
  const header = Buffer.from('{"\u001b[31m\u0007');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(path, Buffer.concat([length, header]));
  const { code, stderr } = await papo(["loss", path]);
  t.is(code, 3);
  t.notRegex(stderr.trimEnd(), /\p{Cc}/u);
});

test("control characters of a tensor's name do not reach the terminal", async (t) => {
  const path = await rewrite(BATCH, join(folder(t), "name.safetensors"), {
    "expected.\u001b[31mred": f32([1]),
  });
  const { code, stdout } = await papo(["check", path]);
  t.is(code, 1);
  t.notRegex(stdout.replaceAll("\n", ""), /\p{Cc}/u);
  t.regex(stdout, /unknown quantity/);
});

test("control characters of an argument do not reach the terminal, and come back as JSON", async (t) => {
  const nasty = "\u001b[31m\u009b2J\u202e\n.safetensors";
  const path = join(folder(t), nasty);
  cpSync(BATCH, path);
  for (const args of [
    ["loss", nasty],
    ["loss", path],
    ["check", path],
    ["check", path, "--set", `clipLow=${nasty}`],
    ["loss", path, "--set", nasty],
    ["loss", path, "--preset", nasty],
    ["loss", path, "--device", nasty],
    ["loss", path, "--out", join(path, nasty)],
    [nasty],
    ["info", nasty],
  ]) {
    for (const more of [[], ["--json"]]) {
      const { stdout, stderr } = await papo([...args, ...more]);
      t.notRegex(
        (stdout + stderr).replaceAll("\n", ""),
        /[\p{Cc}\p{Bidi_Control}]/u,
        args.join(" "),
      );
    }
  }
  const { json } = await papoJson(["loss", path]);
  t.is(json.file, path);
});

test("a result that cannot be written is an error that names it", async (t) => {
  const path = folder(t);
  const out = join(path, "no", "such", "folder.safetensors");
  const { code, stdout, stderr } = await papo(["loss", BATCH, "--out", out]);
  t.is(code, 3);
  t.is(stdout, "");
  t.regex(
    stderr,
    /papo loss: .*folder\.safetensors: expected a file that can be written, received/,
  );
  t.is((await papo(["loss", BATCH, "--out", path])).code, 3, "a folder");
});

test("a row number in an error counts from the start of the batch, whatever the blocks", async (t) => {
  const bytes = new BatchBytes(BATCH);
  const row = bytes.array("response_mask").lastIndexOf(1);
  bytes.array("masked_logits")[row * 5] = Number.NaN;
  const path = bytes.write(join(folder(t), "nan.safetensors"));
  for (const rows of ["1", "2", "automatic"]) {
    const { json } = await papoJson(["loss", path, "--block-rows", rows]);
    t.like(json.error, { code: "ERR_NOT_FINITE", row, exitCode: 3 });
    t.regex(json.error.message, new RegExp(`nan\\.safetensors: .*\\b${row}\\b`));
  }
});

/** `papo check`: what holds, and that nothing else does. */
import { join } from "node:path";
import test from "ava";
import { GOLDEN_NAMES, goldenPath } from "../support/golden.js";
import { BatchBytes, folder, papo, papoJson, rewrite } from "./papo.js";

const [TINY, ODD] = ["tiny-plain-papo_exact", "odd-plain-papo_g_7b"].map(goldenPath) as [
  string,
  string,
];

test("every golden file holds", async (t) => {
  const { code, json, stderr } = await papoJson(["check", ...GOLDEN_NAMES.map(goldenPath)]);
  t.is(code, 0);
  t.is(stderr, "");
  t.true(json.holds);
  t.is(json.files.length, GOLDEN_NAMES.length);
  t.deepEqual(json.summary.files, { hold: GOLDEN_NAMES.length, all: GOLDEN_NAMES.length });
  t.is(json.summary.quantities.hold, json.summary.quantities.all);
  for (const { file, quantities } of json.files) {
    t.true(quantities.length >= 15, `${file} names all its answers`);
    t.true(
      quantities.every((quantity: { compared: number }) => quantity.compared > 0),
      file,
    );
  }
});

interface Case {
  readonly bytes: BatchBytes;
  /** A row that counts. */
  readonly row: number;
  readonly sequence: number;
  readonly vocabSize: number;
}

function caseOf(path: string): Case {
  const bytes = new BatchBytes(path);
  const { shape } = bytes.header.logits as { shape: readonly number[] };
  const mask = bytes.header.response_mask ? bytes.array("response_mask") : [1];
  // The last counted row, so that a comparison that stops early is noticed too.
  const rows = shape.slice(0, -1).reduce((size, n) => size * n, 1);
  const row = bytes.header.response_mask ? mask.lastIndexOf(1) : rows - 1;
  const offsets = bytes.header.cu_seqlens ? [...bytes.array("cu_seqlens")] : undefined;
  const sequence = offsets
    ? offsets.findIndex((end) => end > row) - 1
    : Math.floor(row / (shape[1] as number));
  return { bytes, row, sequence, vocabSize: shape.at(-1) as number };
}

/** Beyond what is allowed for `expected`, were it computed without any error. */
function nudge(name: string, expected: Float64Array, dtype: string): number {
  const scale = Math.max(...expected.map(Math.abs));
  const factor = { BF16: 2 ** -8, F16: 2 ** -11 }[name.includes("grad_") ? dtype : ""] ?? 1e-5;
  return 2 * (factor * scale + 2e-8);
}

for (const golden of GOLDEN_NAMES) {
  test(`${golden}: a change of any expected quantity is noticed`, async (t) => {
    const path = join(folder(t), "changed.safetensors");
    const names = Object.keys(caseOf(goldenPath(golden)).bytes.header);
    for (const name of names.filter((key) => key.startsWith("expected."))) {
      const { bytes, row, vocabSize } = caseOf(goldenPath(golden));
      const values = bytes.array(name) as Float64Array;
      const index = name.includes("tokens.") ? row : name.includes("grad_") ? row * vocabSize : 0;
      const dtype = (bytes.header.logits as { dtype: string }).dtype;
      values[index] = (values[index] as number) + nudge(name, values, dtype);
      const { code, json } = await papoJson(["check", bytes.write(path)]);
      t.is(code, 1, name);
      const wrong = json.files[0].quantities.filter(({ holds }: { holds: boolean }) => !holds);
      t.deepEqual(
        wrong.map((quantity: { name: string }) => `expected.${quantity.name}`),
        [name],
      );
    }
  });

  test(`${golden}: a change of any input is noticed`, async (t) => {
    const path = join(folder(t), "changed.safetensors");
    const has = caseOf(goldenPath(golden)).bytes.header;
    const changes: Record<string, (c: Case) => void> = {
      logits: (batch) => swap(batch, "logits"),
      masked_logits: (batch) => swap(batch, "masked_logits"),
      token_ids: ({ bytes, row, vocabSize }) => {
        const ids = bytes.array("token_ids");
        ids[row] = ((ids[row] as number) + 1) % vocabSize;
      },
      old_log_probs: ({ bytes, row }) => add(bytes.array("old_log_probs"), row, 1),
      advantages: ({ bytes, row, sequence }) => {
        const advantages = bytes.array("advantages");
        const index = bytes.header.advantages?.shape.length === 2 ? row : sequence;
        // Negative, since a positive one counts for nothing where the ratio is at its lower limit, and large, since
        // the loss of a stale policy without dual clip is.
        advantages[index] = -1e6;
      },
      ...(has.response_mask
        ? { response_mask: ({ bytes, row }) => add(bytes.array("response_mask"), row, -1) }
        : {}),
      ...(has["expected.ref_kl"] ? { ref_log_probs: refOf } : {}),
      temperature: ({ bytes }) => {
        const metadata = bytes.header.__metadata__ as Record<string, string>;
        const spec = JSON.parse(metadata.objective as string) as Record<string, number>;
        metadata.objective = JSON.stringify({ ...spec, temperature: 1.01 });
      },
    };
    for (const [name, change] of Object.entries(changes)) {
      const changed = caseOf(goldenPath(golden));
      change(changed);
      const { code } = await papo(["check", changed.bytes.write(path)]);
      t.is(code, 1, name);
    }
  });
}

function add(values: { [index: number]: number }, index: number, x: number): void {
  values[index] = (values[index] as number) + x;
}

/** Exchanges the sampled token's logit with the one that differs most: a change that any dtype can hold. */
function swap({ bytes, row, vocabSize }: Case, name: string): void {
  const logits = bytes.array(name).subarray(row * vocabSize, (row + 1) * vocabSize);
  const id = bytes.array("token_ids")[row] as number;
  const sampled = logits[id] as number;
  const differences = [...logits].map((logit) => Math.abs(logit - sampled));
  const other = differences.indexOf(Math.max(...differences));
  logits[id] = logits[other] as number;
  logits[other] = sampled;
}

/** To where no limit binds. */
function refOf({ bytes, row }: Case): void {
  const logProbs = bytes.array("expected.tokens.log_probs");
  bytes.array("ref_log_probs")[row] = (logProbs[row] as number) + 1.25;
}

test("per-token values are compared where the token counts only", async (t) => {
  const bytes = new BatchBytes(ODD);
  const padding = bytes.array("response_mask").indexOf(0);
  bytes.array("expected.tokens.kl")[padding] = 12;
  const path = bytes.write(join(folder(t), "padding.safetensors"));
  t.is((await papo(["check", path])).code, 0);
});

test("infinities hold only where the same one is expected, NaN never", async (t) => {
  for (const value of [Infinity, -Infinity, NaN]) {
    const bytes = new BatchBytes(TINY);
    bytes.array("expected.loss")[0] = value;
    const path = bytes.write(join(folder(t), "infinite.safetensors"));
    const { code, json } = await papoJson(["check", path]);
    t.is(code, 1);
    t.is(json.files[0].quantities[0].worst.expected, String(value));
  }
});

test("a gradient that is absent counts as zeros", async (t) => {
  const path = goldenPath("tiny-plain-papo_d");
  const { json } = await papoJson(["check", path]);
  t.is(json.files[0].objective.maskedBranch, "constant");
  const bytes = new BatchBytes(path);
  bytes.array("expected.grad_masked_logits")[3] = 3e-8;
  const changed = bytes.write(join(folder(t), "masked.safetensors"));
  const { code, stdout } = await papo(["check", changed]);
  t.is(code, 1);
  t.regex(stdout, /grad_masked_logits .* FAILS {2}\[0, 0, 3\] is 0, expected 3e-8/);
});

test("an unknown quantity fails the check and is named", async (t) => {
  const data = Float64Array.of(1);
  const path = await rewrite(TINY, join(folder(t), "unknown.safetensors"), {
    "expected.los": { dtype: "F64", shape: [1], data },
  });
  const { code, stdout } = await papo(["check", path]);
  t.is(code, 1);
  t.regex(stdout, /los +FAILS {2}unknown quantity/);
  t.regex(stdout, /0 of 1 files hold, 17 of 18 quantities/);
  const { json } = await papoJson(["check", path]);
  const [los] = json.files[0].quantities.filter(({ name }: { name: string }) => name === "los");
  t.deepEqual(los, { name: "los", holds: false, reason: "unknown quantity" });
});

test("a quantity without its input fails the check", async (t) => {
  const path = await rewrite(
    goldenPath("tiny-plain-papo_d"),
    join(folder(t), "no-masked.safetensors"),
    { masked_logits: undefined },
  );
  const { code, stdout } = await papo(["check", path, "--preset", "dapo"]);
  t.is(code, 1);
  t.regex(stdout, /tokens\.kl +FAILS {2}not computed: the file has no input for it/);
});

test("a file without expected quantities is an error", async (t) => {
  const bytes = Object.keys(new BatchBytes(TINY).header).filter((name) => /^expected/.test(name));
  const path = await rewrite(
    TINY,
    join(folder(t), "questions.safetensors"),
    Object.fromEntries(bytes.map((name) => [name, undefined])),
  );
  const { code, stderr } = await papo(["check", path]);
  t.is(code, 3);
  t.is(stderr, `papo check: ${path}: expected expected.* tensors to check, received none\n`);
});

test("a file whose answers are about no counted token is an error", async (t) => {
  const names = Object.keys(new BatchBytes(TINY).header).filter(
    (name) => /^expected/.test(name) && name !== "expected.tokens.kl",
  );
  const path = await rewrite(TINY, join(folder(t), "empty.safetensors"), {
    ...Object.fromEntries(names.map((name) => [name, undefined])),
    response_mask: { dtype: "U8", shape: [2, 3], data: new Uint8Array(6) },
  });
  const { code, stderr } = await papo(["check", path]);
  t.is(code, 3);
  t.regex(stderr, /expected something to compare/);
});

test("answers of the wrong shape or dtype are an error", async (t) => {
  const loss = { dtype: "F64", shape: [2], data: new Float64Array(2) };
  const wrongShape = await rewrite(TINY, join(folder(t), "shape.safetensors"), {
    "expected.loss": loss,
  });
  const wrongDType = await rewrite(TINY, join(folder(t), "dtype.safetensors"), {
    "expected.loss": { dtype: "I32", shape: [1], data: new Int32Array(1) },
  });
  const { code, stderr } = await papo(["check", wrongShape, wrongDType]);
  t.is(code, 3);
  t.regex(stderr, /shape\.safetensors: expected "expected\.loss" \[1\], received \[2\]\n/);
  t.regex(stderr, /expected the dtype of "expected\.loss" to be one of F64, F32, received I32\n/);
});

test("answers in float32 are compared too", async (t) => {
  const exact = new BatchBytes(TINY);
  const rounded = (name: string, shape: readonly number[]) => {
    const data = Float32Array.from(exact.array(name));
    return { [name]: { dtype: "F32", shape, data } };
  };
  const path = await rewrite(TINY, join(folder(t), "rounded.safetensors"), {
    ...rounded("expected.grad_logits", [2, 3, 5]),
    ...rounded("expected.tokens.kl", [2, 3]),
  });
  t.is((await papo(["check", path, "--block-rows", "4"])).code, 0);
});

test("a file that cannot be checked does not keep the others from it", async (t) => {
  const { code, stdout, stderr } = await papo(["check", ODD, "/does/not/exist", TINY]);
  t.is(code, 3);
  t.regex(stderr, /^papo check: \/does\/not\/exist: expected a file that can be read/);
  t.regex(stdout, /2 of 3 files hold, 34 of 34 quantities; 1 could not be checked\n$/);
  const { json } = await papoJson(["check", ODD, "/does/not/exist"]);
  t.is(json.files[1].error.code, "ERR_FILE");
  t.false(json.holds);
});

test("a usage error ends the check of all files", async (t) => {
  const schedule = 'refKlCoef={"kind":"cosine","from":0,"to":1,"steps":9}';
  const { code, stdout, stderr } = await papo(["check", TINY, ODD, "--set", schedule]);
  t.is(code, 2);
  t.is(stdout, "");
  t.regex(
    stderr,
    /^papo check: \S+exact\.safetensors: refKlCoef is a schedule: say with --step .+\n$/,
  );
});

test("a file without an objective is checked with the defaults, and a note says so", async (t) => {
  const path = await rewrite(TINY, join(folder(t), "plain.safetensors"), {}, {});
  const { stderr } = await papo(["check", path]);
  t.regex(stderr, /^note: \S+plain\.safetensors: the file has no objective and no preset is given/);
});

test("a quantity of no counted token is said to be one, beside others that hold", async (t) => {
  const path = await rewrite(TINY, join(folder(t), "nobody.safetensors"), {
    response_mask: { dtype: "U8", shape: [2, 3], data: new Uint8Array(6) },
  });
  const { stdout } = await papo(["check", path]);
  t.regex(stdout, /tokens\.kl +no counted token/);
});

test("another objective than the file's does not hold", async (t) => {
  t.is((await papo(["check", ODD, "--preset", "papo-g-7b"])).code, 0);
  t.is((await papo(["check", ODD, "--preset", "grpo"])).code, 1);
  t.is((await papo(["check", ODD, "--set", "perceptionKlCoef=0.0201"])).code, 1);
});

test("quiet prints the summary, and what does not hold", async (t) => {
  const quiet = await papo(["check", ODD, TINY, "-q"]);
  t.is(quiet.stdout, "2 of 2 files hold, 34 of 34 quantities\n");
  const bytes = new BatchBytes(ODD);
  bytes.array("expected.loss")[0] = 1;
  const path = bytes.write(join(folder(t), "wrong.safetensors"));
  const { stdout } = await papo(["check", path, "-q"]);
  t.regex(stdout, /loss .* FAILS {2}is 0\.888910\d+, expected 1\n\n0 of 1 files hold/);
  t.notRegex(stdout, /holds/);
});

test("colours are for terminals, and not for those who do not want them", async (t) => {
  const plain = await papo(["check", TINY]);
  const terminal = await papo(["check", TINY], { isTTY: true });
  const unwanted = await papo(["check", TINY], { isTTY: true, env: { NO_COLOR: "1" } });
  t.false(plain.stdout.includes("\u001b"));
  t.true(terminal.stdout.includes("\u001b[32mholds"));
  t.is(unwanted.stdout, plain.stdout);
});

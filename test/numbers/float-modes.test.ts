/** Another addon's floating-point settings in JavaScript's own thread: what papo's addon computes keeps every bit. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { objective, Tensor, tokenStats } from "../../lib/index.js";
import { compiled, HAS_COMPILER } from "../addon/broken-addons.js";
import { logitsBatch } from "../objective/batches.js";
import { ROOT } from "../structure/files.js";
import { makeBatch } from "../support/inputs.js";
import { bytesOf, ulpOf } from "../support/ulps.js";

/** An addon with the thread's control register: gives what it was, sets what it is. */
const SOURCE = `
#include <immintrin.h>
#include <node_api.h>
static napi_value control(napi_env env, napi_callback_info info) {
  napi_value argument, result;
  size_t count = 1;
  uint32_t wanted = 0;
  napi_create_uint32(env, _mm_getcsr() & ~0x3FU, &result);
  if (napi_get_cb_info(env, info, &count, &argument, NULL, NULL) == napi_ok &&
      napi_get_value_uint32(env, argument, &wanted) == napi_ok) {
    _mm_setcsr(wanted);
  }
  return result;
}
NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "control", NAPI_AUTO_LENGTH, control, NULL, &function);
  return function;
}
`;

const DEFAULT = 0x1f80;
const FLUSH = DEFAULT | 0x8040;
const SETTINGS = {
  "subnormals flushed": FLUSH,
  "rounding upward": DEFAULT | 0x4000,
  "rounding downward": DEFAULT | 0x2000,
  "rounding toward zero, subnormals flushed": FLUSH | 0x6000,
} as const;

const folder = mkdtempSync(join(tmpdir(), "papo-float-modes-"));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

const isHere = HAS_COMPILER && process.arch === "x64" && process.platform === "linux";
const maybe = isHere ? test : test.skip;

type Control = (wanted?: number) => number;
function control(): Control {
  const headers = `-I${ROOT}node_modules/node-api-headers/include`;
  const path = compiled(join(folder, "control.node"), SOURCE, headers);
  return createRequire(import.meta.url)(path) as Control;
}

const BATCH = makeBatch({ seed: 23, sequences: 4, tokens: 8, vocabSize: 1031 });
const LOSS = objective("papo-g-7b", { form: "corrected" }).temperature(0.7).build();

/** The bits of what the addon writes for given numbers: no weight of the objective's own making among them. */
function statisticBits(): string {
  const { logits, maskedLogits, tokenIds } = logitsBatch(BATCH);
  if (maskedLogits === undefined) throw new Error("expected masked logits");
  return bits(tokenStats({ logits, maskedLogits, tokenIds, temperature: 0.7 }));
}

/** A hash of all tensors among the values of an object. */
function bits(of: object): string {
  const hash = createHash("sha256");
  for (const value of Object.values(of)) {
    if (value instanceof Tensor) hash.update(bytesOf(value.data as Float64Array));
  }
  return hash.digest("hex");
}

maybe(
  "no setting of the JavaScript thread changes a bit of a row, called directly or later",
  async (t) => {
    const mode = control();
    const options = { perToken: true } as const;
    const expected = LOSS.evaluate(logitsBatch(BATCH), options);
    const statistics = statisticBits();
    for (const [name, setting] of Object.entries(SETTINGS)) {
      const batches = [logitsBatch(BATCH), logitsBatch(BATCH)] as const;
      const before = mode(setting);
      const own = statisticBits();
      const direct = LOSS.evaluate(batches[0], options);
      const later = LOSS.evaluateAsync(batches[1], options);
      const after = mode(before);
      t.is(after, setting, `${name}: the thread has its setting back`);
      t.is(own, statistics, name);
      const { rows } = BATCH;
      for (const evaluation of [direct, await later]) {
        // Row weights and the sum over rows are JavaScript's, which rounds as its thread is set: one rounding a row.
        t.true(
          Math.abs(evaluation.loss - expected.loss) <= rows * ulpOf(expected.loss, "float64"),
          name,
        );
        if (setting === FLUSH) {
          t.is(evaluation.loss, expected.loss, name);
          t.is(bits(evaluation), bits(expected), name);
          t.is(bits(evaluation.tokens ?? {}), bits(expected.tokens ?? {}), name);
        }
      }
    }
  },
);

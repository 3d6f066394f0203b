/** A small run of the benchmark suite: every row is complete, its floor is below its time, its errors are small. */
import test from "ava";
import { PARTS } from "../../bench/parts/parts.js";
import type { Row } from "../../bench/result.js";
import { runSuite } from "../../bench/suite.js";

/** One that has every form, one with masks, one off the event loop, one of every objective; the others are the same code. */
const NAMES = ["forms", "padding", "concurrent", "objectives"];

/** Of loss, log-probs, entropies and KLs, nats; 16-bit logits are those the reference sees too. */
const NATS = 5e-6;
/** Rounding of the gradients to their own dtype, with room for one more rounding on the way. */
const GRADIENTS = { float32: 1e-6, float16: 1e-3, bfloat16: 5e-3 } as const;

test("a small run of the suite leaves a complete result", async (t) => {
  t.timeout(120_000);
  const shown: string[] = [];
  const result = await runSuite({
    parts: [...NAMES],
    quick: true,
    rounds: 1,
    say: () => {},
    show: ({ name }) => shown.push(name),
  });
  t.deepEqual(JSON.parse(JSON.stringify(result)), result, "it survives JSON");
  t.deepEqual(shown, NAMES);
  for (const part of result.parts) {
    t.deepEqual(part.absent, {});
    t.is(new Set(part.rows.map(({ name }) => name)).size, part.rows.length, "names are unique");
    for (const roofline of part.rooflines) t.true(roofline.read.median > 0);
    for (const row of part.rows) checkRow(row);
  }

  function checkRow(row: Row) {
    const { part, name, dtype, errors = {}, ...rest } = row;
    const where = `${part}: ${name}`;
    for (const value of [rest.time.median, rest.bytes, rest.exponentials, rest.nsPerLogit]) {
      t.true(Number.isFinite(value) && value > 0, where);
    }
    t.true((rest.floor as number) > 0 && (rest.share as number) > 0, where);
    const { gradients = 0, ...nats } = errors;
    for (const error of Object.values(nats)) t.true(error <= NATS, `${where}: ${error} nats`);
    t.true(gradients <= GRADIENTS[dtype], `${where}: ${gradients}`);
  }
});

test("every part can be planned, for one thread as for many", async (t) => {
  for (const threads of [1, 6]) {
    const scope = { quick: false, vocab: 1000, threads, isas: ["avx2", "scalar"], memory: 2 ** 34 };
    for (const plan of Object.values(PARTS)) {
      const { name, cases } = await plan(scope);
      t.true(cases.length > 0, name);
      t.is(new Set(cases.map((each) => each.name)).size, cases.length, name);
      const names = new Set(cases.map((each) => each.name));
      t.deepEqual(
        cases.filter(({ relativeTo }) => relativeTo !== undefined && !names.has(relativeTo)),
        [],
      );
    }
  }
});

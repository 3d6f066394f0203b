import test from "ava";
import { inChild } from "./in-child.js";

/** Odd ones too, and more than the batch has rows. */
const THREADS = [1, 2, 7, 60];

test("results are the same to the bit for any number of threads, and the number is honoured", async (t) => {
  const results = [];
  for (const threads of THREADS) results.push(await inChild({ PAPO_NUM_THREADS: `${threads}` }));
  t.deepEqual(
    results.map(({ threads }) => threads),
    THREADS,
  );
  t.is(new Set(results.map(({ bits }) => bits)).size, 1);
});

test("PAPO_NUM_THREADS must be a count", async (t) => {
  const error = await t.throwsAsync(inChild({ PAPO_NUM_THREADS: "many" }));
  t.regex(
    error?.message ?? "",
    /expected PAPO_NUM_THREADS to be an integer in 1…1024, received "many"/,
  );
});

import test from "ava";
import { inChild } from "./in-child.js";

test("results are the same to the bit for any number of threads, and the number is honoured", async (t) => {
  const results = [];
  for (const threads of [1, 2, 3, 8])
    results.push(await inChild({ PAPO_NUM_THREADS: `${threads}` }));
  t.deepEqual(
    results.map(({ threads }) => threads),
    [1, 2, 3, 8],
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

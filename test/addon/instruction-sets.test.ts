import test from "ava";
import { info } from "../../lib/index.js";
import { inChild } from "./in-child.js";

test("PAPO_CPU_ISA forces each instruction set, and all of them agree on the loss", async (t) => {
  const results = [];
  for (const isa of info().isas) results.push(await inChild({ PAPO_CPU_ISA: isa }));
  t.deepEqual(
    results.map(({ isa }) => isa),
    [...info().isas],
  );
  const [first] = results;
  for (const { loss, halfLoss } of results) {
    t.true(Math.abs(loss - (first?.loss ?? Number.NaN)) < 1e-6);
    t.true(Math.abs(halfLoss - (first?.halfLoss ?? Number.NaN)) < 1e-6);
  }
});

test("the forcing reaches the kernels: scalar sums round otherwise than the best instruction set's", async (t) => {
  const [best] = info().isas;
  if (best === undefined || best === "scalar") {
    t.pass("this processor has only one");
    return;
  }
  const [forced, natural] = await Promise.all([
    inChild({ PAPO_CPU_ISA: "scalar" }),
    inChild({ PAPO_CPU_ISA: "" }),
  ]);
  t.is(natural.isa, best);
  t.not(forced.bits, natural.bits);
});

test("an instruction set that is not there is an error, never another one", async (t) => {
  const error = await t.throwsAsync(inChild({ PAPO_CPU_ISA: "sse9" }));
  t.regex(error?.message ?? "", /PapoError.*expected PAPO_CPU_ISA to name an instruction set/);
});

/** Diagnostics of a rollout mismatch against the plain formulas, and where those would overflow. */
import test from "ava";
import { rolloutDiagnostics } from "../../lib/rollout/mismatch.js";
import { assertClose } from "../support/close.js";
import { Random } from "../support/inputs.js";

const TOLERANCE = { rtol: 1e-12, atol: 1e-14 };
const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

test("every diagnostic is its formula", (t) => {
  const random = new Random(3);
  const lengths = [4, 0, 6, 1];
  const sequences = lengths.map((length) =>
    Array.from({ length }, () => {
      const own = -3 * random.uniform();
      return { own, rollout: own + 0.3 * random.normal() };
    }),
  );
  const tokens = sequences.flat();
  const d = rolloutDiagnostics({
    oldLogProbs: tokens.map(({ own }) => own),
    rolloutLogProbs: tokens.map(({ rollout }) => rollout),
    cuSeqlens: [0, 4, 4, 10, 11],
  });
  const deltas = tokens.map(({ own, rollout }) => own - rollout);
  const k3 = deltas.map((x) => Math.exp(x) - 1 - x);
  const counted = sequences.filter(({ length }) => length > 0);
  const own = counted.map((sequence) => mean(sequence.map((token) => token.own)));
  const rollout = counted.map((sequence) => mean(sequence.map((token) => token.rollout)));
  const gaps = own.map((value, s) => (rollout[s] as number) - value);
  const products = counted.map((s) => s.reduce((sum, x) => sum + x.own - x.rollout, 0));
  const formulas: Record<keyof typeof d, number> = {
    klK1: -mean(deltas),
    klK3: mean(k3),
    logProbGapMean: mean(deltas.map(Math.abs)),
    logProbGapMax: Math.max(...deltas.map(Math.abs)),
    perplexity: mean(own.map((value) => Math.exp(-value))),
    rolloutPerplexity: mean(rollout.map((value) => Math.exp(-value))),
    logPerplexity: -mean(own),
    rolloutLogPerplexity: -mean(rollout),
    logPerplexityGap: mean(gaps),
    logPerplexityGapMagnitude: mean(gaps.map(Math.abs)),
    logPerplexityGapMin: Math.min(...gaps),
    logPerplexityGapMax: Math.max(...gaps),
    perplexityRatio: mean(gaps.map(Math.exp)),
    chiSquareToken: mean(deltas.map((x) => Math.exp(x) ** 2)) - 1,
    chiSquareSequence: mean(products.map((x) => Math.exp(x) ** 2)) - 1,
  };
  for (const [name, value] of Object.entries(formulas)) {
    assertClose(t, name, d[name as keyof typeof d], value, TOLERANCE);
  }
});

test("k3 keeps its digits where the two policies almost agree", (t) => {
  const gap = 2 ** -30;
  const d = rolloutDiagnostics({ oldLogProbs: [-1], rolloutLogProbs: [-1 + gap] });
  assertClose(t, "k3", d.klK3, gap ** 2 / 2 - gap ** 3 / 6, { rtol: 1e-12, atol: 0 });
});

test("all but the largest gap are finite at any distance, and 0 for no token", (t) => {
  const { logProbGapMax, ...others } = rolloutDiagnostics({
    oldLogProbs: [-Infinity, -1, -Infinity, -1e6, -1e6],
    rolloutLogProbs: [-1, -Infinity, -Infinity, -1, -1],
  });
  t.is(logProbGapMax, Infinity);
  for (const [name, value] of Object.entries(others)) t.true(Number.isFinite(value), name);
  const none = rolloutDiagnostics({
    oldLogProbs: [Number.NaN],
    rolloutLogProbs: [2],
    responseMask: [0],
  });
  for (const [name, value] of Object.entries(none)) t.is(value, 0, name);
  const same = rolloutDiagnostics({ oldLogProbs: [-2], rolloutLogProbs: [-2] });
  t.is(same.klK1, 0);
  assertClose(t, "perplexity", same.perplexity, Math.exp(2), TOLERANCE);
  t.is(same.chiSquareSequence, 0);
});

test("a perplexity is followed up to e^80", (t) => {
  const [logProbs, rolloutLogProbs] = [
    [-79, -79],
    [-Infinity, -3],
  ];
  const { perplexity, rolloutPerplexity } = rolloutDiagnostics({
    oldLogProbs: logProbs,
    rolloutLogProbs,
  });
  assertClose(t, "finite", perplexity, Math.exp(79), { rtol: 1e-13, atol: 0 });
  t.is(rolloutPerplexity, Math.exp(80));
});

/** The programs of docs/custom-objective.md run as printed, and print what they say they do. */
import test from "ava";
import { finiteDifference } from "../../lib/reference/index.js";
import { printed, programsOf, promised } from "./programs.js";

const programs = programsOf("docs/custom-objective.md");

test("the page has its three programs, and each says what it prints", (t) => {
  t.is(programs.length, 3);
  t.true(programs.every((code) => promised(code).length > 0));
});

for (const [index, code] of programs.entries()) {
  test(`program ${index + 1} prints what it says`, async (t) => {
    t.deepEqual(await printed(code), promised(code));
  });
}

// The first program's numbers, in plain float64 and by finite differences.

const VOCAB = 5;
const TOKENS = [1, 4, 0, 2, 2];
const OLD = [-1.1, -2.6, -1.0, -0.8, -0.5];
const ADVANTAGES = [1, 1, 1, -0.5, -0.5];
const LOGITS = Float32Array.from({ length: 30 }, (_, i) => 2 * Math.sin(i));
const MASKED = Float32Array.from({ length: 30 }, (_, i) => Math.sin(i) + 0.5 * Math.cos(3 * i));

function logSoftmax(z: number[]): number[] {
  const sum = Math.log(z.reduce((total, x) => total + Math.exp(x), 0));
  return z.map((x) => x - sum);
}

/** SPO − 0.01 KL + 0.03 H, averaged over the five tokens that count. */
function lossOf(logits: ArrayLike<number>): number {
  const values = TOKENS.map((token, row) => {
    const at = (z: ArrayLike<number>) =>
      logSoftmax(Array.from({ length: VOCAB }, (_, v) => z[row * VOCAB + v] as number));
    const [p, q] = [at(logits), at(MASKED)];
    const sum = (f: (v: number) => number) =>
      p.reduce((total, x, v) => total + Math.exp(x) * f(v), 0);
    const ratio = Math.exp((p[token] as number) - (OLD[row] as number));
    const advantage = ADVANTAGES[row] as number;
    const spo = (Math.abs(advantage) / 0.4) * (ratio - 1) ** 2 - ratio * advantage;
    const kl = sum((v) => (p[v] as number) - (q[v] as number));
    return spo - 0.01 * kl - 0.03 * sum((v) => p[v] as number);
  });
  return values.reduce((a, b) => a + b, 0) / TOKENS.length;
}

test("the first program's loss and slope are the formula's", (t) => {
  const [loss, , slope] = promised(programs[0] as string);
  t.true(Math.abs(Number(loss) - lossOf(LOGITS)) < 1e-6, `${lossOf(LOGITS)}`);
  const gradient = finiteDifference(lossOf, Array.from(LOGITS));
  t.true(Math.abs(Number(slope) - (gradient[1] as number)) < 1e-6, `${gradient[1]}`);
});

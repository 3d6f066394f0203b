/** Two copies of the package in one process, the second in the folder that the first argument names; both by import and require. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as own from "papo";

type Papo = typeof own;

const folder = process.argv[2] as string;
const other = createRequire(join(folder, "program.cjs"))("papo") as Papo;
const again = (await import(
  pathToFileURL(createRequire(join(folder, "program.cjs")).resolve("papo")).href
)) as Papo;
assert.equal(other.objective, again.objective);
assert.notEqual(other.objective, own.objective);
assert.notEqual(other.info().path, own.info().path);

/** A loss; the tensors are of one copy, the objective of the same or of the other. */
function lossOf(tensors: Papo, evaluating: Papo): number {
  const shape = [1, 2, 3] as const;
  const data = (factor: number) => Float32Array.from({ length: 6 }, (_, i) => factor * i);
  const batch = {
    logits: tensors.tensor(data(0.3), { shape }),
    maskedLogits: tensors.tensor(data(-0.2), { shape }),
    tokenIds: [2, 1],
    advantages: [1],
  };
  return evaluating.objective("papo-g-7b-no-ref").build().evaluate(batch).loss;
}

const loss = lossOf(own, own);
assert.equal(lossOf(other, other), loss);
// What one copy makes is not the other's, and it says so.
let mixed = "";
try {
  lossOf(other, own);
} catch (error) {
  mixed = (error as Error).message;
}
console.log(JSON.stringify({ mixed }));

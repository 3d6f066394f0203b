/** README's first program as it would be in a reader's project, with its loss held against papo/reference. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { programsOf } from "../../docs/programs.js";

/** As an ES module, through `require`, and its asynchronous twin. */
export type Form = "esm" | "cjs" | "async";

const CALL = "papo.evaluate({";

/** What follows it: loss and gradient by the reference, from what the program gave to `evaluate`. */
const CHECK = `
import { papoLoss } from "papo/reference";
const { spec } = papo;
const expected = papoLoss({
  ...globalThis.batch,
  ...spec,
  klLimit: spec.klLimit ?? Infinity,
  ...{ rows: 6, sequences: 2, vocabSize: 5, rowPitch: 5 },
  logits: logits.data,
  maskedLogits: maskedLogits.data,
});
const differences = expected.gradLogits.map((value, i) => Math.abs(value - gradLogits.data[i]));
console.log(JSON.stringify({ loss, expected: expected.loss, difference: Math.max(...differences) }));
`;

/** Writes the program into a folder and gives its name. */
export function writeReadmeProgram(folder: string, form: Form): string {
  const [printed = ""] = programsOf("README.md");
  assert.equal(printed.split(CALL).length, 2, `README's first program calls ${CALL}…}) once`);
  const call = form === "async" ? "await papo.evaluateAsync(" : "papo.evaluate(";
  const code = printed.replace(CALL, `${call}globalThis.batch = {`) + CHECK;
  const name = form === "cjs" ? "readme.cjs" : `readme-${form}.mjs`;
  writeFileSync(join(folder, name), javaScript(code, form === "cjs"));
  return name;
}

/** What TypeScript makes of a program. */
export function javaScript(code: string, commonJs = false): string {
  const module = commonJs ? ts.ModuleKind.CommonJS : ts.ModuleKind.ESNext;
  const compilerOptions = { module, target: ts.ScriptTarget.ES2022, esModuleInterop: true };
  return ts.transpileModule(code, { compilerOptions }).outputText;
}

/** Throws unless the program printed what README promises and the loss is the reference's. */
export function checkReadmeProgram(printed: string): void {
  const lines = printed.trimEnd().split("\n");
  assert.equal(lines.length, 2, printed);
  // Node and Deno print lists in one way, Bun in another.
  assert.match((lines[0] as string).replace(/\s/g, ""), /^-?[\d.e-]+\[2,3,5\][\d.e-]+$/);
  const { loss, expected, difference } = JSON.parse(lines[1] as string);
  // float32 logits of single digits: both are exact to about 1e-7.
  assert.ok(Math.abs(loss - expected) < 1e-6, `loss ${loss}, the reference says ${expected}`);
  assert.ok(difference < 1e-6, `a gradient is off by ${difference}`);
}

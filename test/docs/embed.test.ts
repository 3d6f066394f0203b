/** The programs of docs/embed.md and docs/onnxruntime.md run as printed, with the real packages, and print what they say. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { OnnxGraph } from "../../bench/contenders/onnx-model.js";
import { importsOf, locate, printed, programsOf, promised } from "./programs.js";

/** A policy of one matrix, and its way back. */
function writeModels(folder: string): void {
  const forward = new OnnxGraph();
  const features = forward.input("features", "float32", [12, 5]);
  const weights = forward.input("weights", "float32", [5, 11]);
  forward.output("logits", forward.op("MatMul", [features, weights]), [12, 11]);
  writeFileSync(join(folder, "forward.onnx"), forward.model());
  const backward = new OnnxGraph();
  const seen = backward.input("features", "float32", [12, 5]);
  const gradLogits = backward.input("gradLogits", "float32", [12, 11]);
  const transposed = backward.op("Transpose", [seen]);
  backward.output("gradWeights", backward.op("MatMul", [transposed, gradLogits]), [5, 11]);
  writeFileSync(join(folder, "backward.onnx"), backward.model());
}

const curves: Record<string, string[]> = {};

for (const page of ["embed.md", "onnxruntime.md"]) {
  const programs = programsOf(`docs/${page}`);

  test(`${page} has its programs, and each says what it prints`, (t) => {
    t.is(programs.length, page === "embed.md" ? 3 : 1);
    t.true(programs.every((code) => promised(code).length > 0));
  });

  for (const [index, code] of programs.entries()) {
    const absent = importsOf(code).filter((name) => locate(name) === undefined);
    const title = `${page}: program ${index + 1} prints what it says`;
    if (absent.length > 0) {
      test.skip(`${title} (${absent} not installed: npm ci --prefix bench/peers --ignore-scripts)`, () => {});
      continue;
    }
    test.serial(title, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), "papo-docs-"));
      try {
        writeModels(folder);
        const losses = code.includes("losses");
        const more = losses ? `\nconsole.log(losses.map((x) => x.toFixed(4)).join(" "));\n` : "";
        const lines = await printed(code + more, folder);
        if (losses) curves[`${page} ${index}`] = (lines.pop() as string).split(" ");
        t.deepEqual(lines, promised(code));
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }
}

test.serial("the frameworks learn by the same curve", (t) => {
  // TensorFlow.js' is always there.
  const [first, ...others] = Object.values(curves) as [string[], ...string[][]];
  for (const other of others) {
    other.forEach((loss, i) => {
      t.true(Math.abs(Number(loss) - Number(first[i])) < 2e-4, `${first} and ${other}`);
    });
  }
  t.true(Number(first.at(-1)) < Number(first[0]) - 0.1);
});

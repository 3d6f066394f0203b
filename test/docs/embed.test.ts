/** The programs of docs/embed.md and docs/onnxruntime.md run as printed, with the real packages, and print what they say. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import test from "ava";
import { OnnxGraph } from "../../bench/contenders/onnx-model.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Where what a program imports lies; undefined where a package is not installed. */
function locate(name: string): string | undefined {
  const own: Record<string, string> = {
    papo: "lib/index.ts",
    "papo/tfjs": "lib/adapters/tfjs.ts",
    "papo/jax": "lib/adapters/jax.ts",
  };
  if (own[name]) return join(root, own[name]);
  // The whole of TensorFlow.js is its core, with gradients, which the program is given.
  const package_ = name === "@tensorflow/tfjs" ? "@tensorflow/tfjs-core" : name;
  for (const folder of [root, join(root, "bench/peers/")]) {
    try {
      return createRequire(join(folder, "package.json")).resolve(package_);
    } catch {}
  }
  return undefined;
}

const gradients = `import { createRequire } from "node:module";
createRequire(${JSON.stringify(join(root, "package.json"))})("@tensorflow/tfjs-core/dist/register_all_gradients");
`;

async function printed(code: string, folder: string): Promise<string[]> {
  const located = code.replace(/((?:from|import) )"([^"]+)"/g, (_, word, name) => {
    return `${word}"${pathToFileURL(locate(name) as string).href}"`;
  });
  const file = join(folder, "program.mts");
  writeFileSync(file, code.includes("@tensorflow/tfjs") ? gradients + located : located);
  const loader = pathToFileURL(createRequire(join(root, "package.json")).resolve("tsx")).href;
  const run = promisify(execFile)(process.execPath, [`--import=${loader}`, file], { cwd: folder });
  return (await run).stdout.trimEnd().split("\n");
}

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
  const text = readFileSync(join(root, "docs", page), "utf8");
  const programs = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code as string);

  test(`${page} has its programs, and each says what it prints`, (t) => {
    t.is(programs.length, page === "embed.md" ? 3 : 1);
    t.true(programs.every((code) => promised(code).length > 0));
  });

  for (const [index, code] of programs.entries()) {
    const names = [...code.matchAll(/(?:from|import) "([^"]+)"/g)].map(
      ([, name]) => name as string,
    );
    const absent = names.filter((name) => locate(name) === undefined);
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

/** What its comments say that a program prints. */
function promised(code: string): string[] {
  return [...code.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm)].map(([, text]) => text as string);
}

// `.ci/cuda-gates`: compiles the kernels for every target, holds what came out against design.mjs, and prints it.
import { parseArgs } from "node:util";
import { DESIGN } from "./design.mjs";
import { summary, table } from "./report.mjs";
import { findings, unusedDesigns } from "./rules.mjs";
import { selfTest } from "./self-test.mjs";
import { Toolchain } from "./toolchain.mjs";

const usage = `.ci/cuda-gates [options]
  --self-test        plants a violation of every gate and fails unless that gate, and no other, finds it
  --only WORD        sources whose name contains WORD
  --targets 75,90    instead of all that ship
  --build DIR        build directory (build/gates)
  --keep             leaves PTX, cubins and disassembly in the build directory
  --verbose          one line per kernel instance instead of one per kernel`;

const { values: options } = parseArgs({
  options: {
    "self-test": { type: "boolean", default: false },
    only: { type: "string", default: "" },
    targets: { type: "string" },
    build: { type: "string", default: "build/gates" },
    keep: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (options.help) {
  console.log(usage);
  process.exit(0);
}

process.on("uncaughtException", (error) => {
  console.error(`cuda gates: ${error.message}`);
  process.exit(1);
});

const toolchain = await Toolchain.find(options);
if (!toolchain) {
  console.log("cuda gates skipped: no nvcc (put it on PATH or set CUDACXX)");
  process.exit(0);
}
console.log(toolchain.description());
const start = Date.now();
const failed = options["self-test"] ? await selfTest(toolchain) : await gate();
console.log(`${((Date.now() - start) / 1000).toFixed(0)} s`);
process.exit(failed ? 1 : 0);

async function gate() {
  const whole = options.only === "" && options.targets === undefined;
  const kernels = await toolchain.compileAll();
  const found = kernels.flatMap((kernel) => findings(kernel, DESIGN));
  // Only a run over everything can say that an entry of the table fits nothing.
  if (kernels.length === 0) found.push({ gate: "design", text: "the sources hold no kernel" });
  if (whole) found.push(...unusedDesigns(kernels, DESIGN));
  console.log(table(kernels, options.verbose));
  console.log(summary(kernels, found, toolchain));
  return found.length > 0;
}

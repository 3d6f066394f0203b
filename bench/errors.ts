/**
 * The engine's errors against float64, by instruction set, dtype and distribution: `npm run bench:errors`.
 *
 * Each instruction set runs in a process of its own, since it is chosen once per process. Everything is taken at
 * V = 151 936; the worst of all rows is shown. The table goes between the markers of native/math/README.md, the
 * numbers into bench/results/errors.json.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  fromBfloat16,
  fromFloat16,
  info,
  type Logits,
  tensor,
  toBfloat16,
  toFloat16,
} from "../lib/index.js";
import { tokenStats as stats } from "../lib/ops/token-stats.js";
import { tokenStatsGrad as grad } from "../lib/ops/token-stats-grad.js";
import * as reference from "../lib/reference/index.js";
import { DISTRIBUTIONS, type DistributionName, makeBatch } from "../test/support/inputs.js";

const VOCAB_SIZE = 151_936;
const ROWS = 4;
const DTYPES = ["float32", "bfloat16", "float16"] as const;
type LogitsDType = (typeof DTYPES)[number];

interface Errors {
  readonly isa: string;
  readonly dtype: LogitsDType;
  readonly distribution: DistributionName;
  /** Largest |error|, nats; both policies. */
  readonly logProb: number;
  readonly entropy: number;
  /** Largest |error| / max(1, KL), both directions. */
  readonly kl: number;
  /** Largest |error| / KL, both directions. */
  readonly klRelative: number;
  /** ‖error‖ / ‖gradient‖ of both gradients, in float32: what the 16-bit formats round afterwards is not in it. */
  readonly gradient: number;
}

const COTANGENTS = {
  logProbs: -0.7,
  maskedLogProbs: 0.4,
  entropy: 0.2,
  maskedEntropy: -0.3,
  kl: 0.6,
  reverseKl: 0.5,
};

function measure(distribution: DistributionName, dtype: LogitsDType): Errors {
  const batch = makeBatch({
    distribution,
    vocabSize: VOCAB_SIZE,
    sequences: 1,
    tokens: ROWS,
    full: true,
    seed: 5,
  });
  const { tokenIds } = batch;
  const [logits, values] = stored(batch.logits, dtype);
  const [maskedLogits, maskedValues] = stored(batch.maskedLogits, dtype);
  const shape = { rows: ROWS, vocabSize: VOCAB_SIZE };
  const rows = { logits: values, maskedLogits: maskedValues, tokenIds, ...shape };
  const truth = reference.tokenStats(rows);
  const cotangents = Object.fromEntries(
    Object.entries(COTANGENTS).map(([name, value]) => [name, new Float64Array(ROWS).fill(value)]),
  );
  const trueGrad = reference.tokenStatsGrad({ ...rows, cotangents });

  const call = {
    where: "errors",
    logits,
    maskedLogits,
    tokenIds,
    responseMask: undefined,
    temperature: 1,
  };
  const { statistics } = stats({ ...call, onInvalid: "error" });
  const gradLogits = tensor(new Float32Array(ROWS * VOCAB_SIZE), { shape: [ROWS, VOCAB_SIZE] });
  const gradMaskedLogits = tensor(new Float32Array(ROWS * VOCAB_SIZE), {
    shape: [ROWS, VOCAB_SIZE],
  });
  const lines = Float64Array.from(
    Object.values(COTANGENTS).flatMap((value) => Array(ROWS).fill(value)),
  );
  grad({
    ...call,
    statistics,
    cotangents: lines,
    gradScale: 1,
    accumulate: false,
    gradLogits,
    gradMaskedLogits,
  });

  const line = (k: number) => statistics.subarray(k * ROWS, (k + 1) * ROWS);
  const worst = (k: number, want: Float64Array, scale: (value: number) => number) =>
    Math.max(
      ...Array.from(
        line(k),
        (got, row) => Math.abs(got - (want[row] as number)) / scale(want[row] as number),
      ),
    );
  const one = () => 1;
  const atLeastOne = (value: number) => Math.max(1, value);
  const itself = (value: number) => value;
  return {
    isa: info().isa,
    dtype,
    distribution,
    logProb: Math.max(worst(0, truth.logProbs, one), worst(1, truth.maskedLogProbs, one)),
    entropy: Math.max(worst(2, truth.entropy, one), worst(3, truth.maskedEntropy, one)),
    kl: Math.max(worst(4, truth.kl, atLeastOne), worst(5, truth.reverseKl, atLeastOne)),
    klRelative: Math.max(worst(4, truth.kl, itself), worst(5, truth.reverseKl, itself)),
    gradient: Math.max(
      relative(gradLogits.data, trueGrad.gradLogits),
      relative(gradMaskedLogits.data, trueGrad.gradMaskedLogits as Float64Array),
    ),
  };
}

/** Logits as the dtype stores them, and the values it kept. */
function stored(values: Float32Array, dtype: LogitsDType): [Logits, ArrayLike<number>] {
  const shape = [ROWS, VOCAB_SIZE] as const;
  if (dtype === "float32") return [tensor(values, { shape }), values];
  if (dtype === "bfloat16") {
    const bits = toBfloat16(values);
    return [tensor(bits, { shape, dtype }), fromBfloat16(bits)];
  }
  const bits = toFloat16(values);
  return [tensor(bits, { shape, dtype }), fromFloat16(bits)];
}

function relative(got: ArrayLike<number>, want: Float64Array): number {
  let error = 0;
  let norm = 0;
  for (let i = 0; i < want.length; i++) {
    error += ((got[i] as number) - (want[i] as number)) ** 2;
    norm += (want[i] as number) ** 2;
  }
  return Math.sqrt(error / norm);
}

function table(all: readonly Errors[]): string {
  const groups = new Map<string, Errors[]>();
  for (const errors of all) {
    const key = `${errors.isa} | ${errors.dtype}`;
    groups.set(key, [...(groups.get(key) ?? []), errors]);
  }
  const cell = (
    group: readonly Errors[],
    key: "logProb" | "entropy" | "kl" | "klRelative" | "gradient",
  ) => {
    const [worst] = [...group].sort((a, b) => b[key] - a[key]);
    return `${worst?.[key].toExponential(1)} (${worst?.distribution})`;
  };
  const lines = [...groups].map(([key, group]) => {
    const near = group.filter(({ distribution }) => distribution === "near");
    return `| ${key} | ${cell(group, "logProb")} | ${cell(group, "entropy")} | ${cell(group, "kl")} | ${cell(near, "klRelative")} | ${cell(group, "gradient")} |`;
  });
  return [
    "| instruction set | logits | log-prob | entropy | KL | KL of near policies, relative | gradient, relative |",
    "|---|---|---:|---:|---:|---:|---:|",
    ...lines,
  ].join("\n");
}

const root = fileURLToPath(new URL("../", import.meta.url));

function main(): void {
  const all: Errors[] = [];
  for (const isa of info().isas) {
    process.stderr.write(`${isa} …\n`);
    const output = execFileSync(
      process.execPath,
      [...process.execArgv, fileURLToPath(import.meta.url), "--child"],
      {
        env: { ...process.env, PAPO_CPU_ISA: isa },
        encoding: "utf8",
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    all.push(...(JSON.parse(output) as Errors[]));
  }
  const path = `${root}native/math/README.md`;
  const page = readFileSync(path, "utf8");
  const [begin, end] = ["<!-- errors:begin -->", "<!-- errors:end -->"];
  const [before, after] = [page.indexOf(begin), page.indexOf(end)];
  if (before < 0 || after < before) throw new Error(`${path} has lost its markers`);
  const text = table(all);
  writeFileSync(path, `${page.slice(0, before + begin.length)}\n${text}\n${page.slice(after)}`);
  writeFileSync(
    `${root}bench/results/errors.json`,
    `${JSON.stringify({ vocabSize: VOCAB_SIZE, rows: ROWS, errors: all }, null, 1)}\n`,
  );
  console.log(text);
}

if (process.argv.includes("--child")) {
  console.log(
    JSON.stringify(DISTRIBUTIONS.flatMap((d) => DTYPES.map((dtype) => measure(d, dtype)))),
  );
} else {
  main();
}

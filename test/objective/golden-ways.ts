/** The ways of evaluating an objective on a golden case, on any device, and the golden rule. */
import type { ExecutionContext } from "ava";
import type { Device, Evaluation, Logits, Objective, Tensor } from "../../lib/index.js";
import { assertClose } from "../support/close.js";
import type { GoldenCase } from "../support/golden.js";
import { GRADIENT_TOLERANCES, TOLERANCES } from "../support/tolerances.js";
import { goldenBatch, logitsTensor, valuesOf } from "./batches.js";

export type Way = (
  objective: Objective,
  golden: GoldenCase,
  device: Device,
) => Evaluation | Promise<Evaluation>;

/** Memory that a gradient has to overwrite everywhere. */
function dirty(golden: GoldenCase, device: Device): Logits {
  const data = golden.stored.logits.slice().fill(golden.dtype === "float32" ? Number.NaN : 0x7fff);
  return logitsTensor(data, golden.shape, golden.dtype, undefined, device);
}

function withMemory(golden: GoldenCase, device: Device) {
  const memory = () => dirty(golden, device);
  return { gradLogits: memory(), gradMaskedLogits: memory(), perToken: true };
}

export const WAYS: Readonly<Record<string, Way>> = {
  fused: (objective, golden, device) => {
    const memory = withMemory(golden, device);
    return {
      ...memory,
      ...objective.evaluate(goldenBatch(golden, device), { ...memory, plan: "fused" }),
    };
  },
  composed: (objective, golden, device) => {
    const memory = withMemory(golden, device);
    const options = { ...memory, plan: "composed" } as const;
    return { ...memory, ...objective.evaluate(goldenBatch(golden, device), options) };
  },
  async: async (objective, golden, device) => {
    const memory = withMemory(golden, device);
    return { ...memory, ...(await objective.evaluateAsync(goldenBatch(golden, device), memory)) };
  },
  "async and composed": async (objective, golden, device) => {
    const memory = withMemory(golden, device);
    const options = { ...memory, plan: "composed" } as const;
    return { ...memory, ...(await objective.evaluateAsync(goldenBatch(golden, device), options)) };
  },
  "in place": (objective, golden, device) => {
    const evaluation = objective.evaluate(goldenBatch(golden, device), {
      inPlace: true,
      perToken: true,
    });
    return { gradMaskedLogits: zerosLike(golden), ...evaluation };
  },
  "in place and composed": (objective, golden, device) => {
    const options = { inPlace: true, perToken: true, plan: "composed" } as const;
    const evaluation = objective.evaluate(goldenBatch(golden, device), options);
    return { gradMaskedLogits: zerosLike(golden), ...evaluation };
  },
  "row blocks": (objective, golden, device) => {
    const { logits, maskedLogits, ...rows } = goldenBatch(golden, device);
    const memory = withMemory(golden, device);
    const shape = golden.shape.slice(0, -1);
    const evaluation = objective.begin(
      { ...rows, shape, vocabSize: golden.vocabSize },
      { perToken: true },
    );
    // From the last rows to the first, two at a time.
    for (let end = golden.rows; end > 0; end -= 2) {
      const start = Math.max(0, end - 2);
      const block = (of: Tensor) => of.sliceRows(start, end) as Logits;
      evaluation.add({
        rowStart: start,
        logits: block(logits),
        maskedLogits: block(maskedLogits as Logits),
        gradLogits: block(memory.gradLogits),
        gradMaskedLogits: block(memory.gradMaskedLogits),
      });
    }
    return { ...memory, ...evaluation.finish() };
  },
};

function zerosLike(golden: GoldenCase): Logits {
  return logitsTensor(golden.stored.logits.slice().fill(0), golden.shape, golden.dtype);
}

/** Everything that the file expects, by the golden rule. */
export function checkGolden(t: ExecutionContext, golden: GoldenCase, evaluation: Evaluation): void {
  const { terms, metrics, tokens } = evaluation;
  const scalars: Record<string, number | undefined> = {
    loss: evaluation.loss,
    surrogate: terms.surrogate,
    ref_kl: terms.refKl,
    perception_kl: terms.perceptionKl,
    entropy: terms.entropy,
    masked_entropy: terms.maskedEntropy,
    clip_fraction_low: metrics.clipFractionLow,
    clip_fraction_high: metrics.clipFractionHigh,
    clip_fraction_dual: metrics.clipFractionDual,
    approx_kl: metrics.approxKl,
  };
  for (const [name, expected] of golden.expected) {
    const scalar = scalars[name];
    if (scalar !== undefined) {
      assertClose(t, `${golden.name} ${name}`, scalar, expected, TOLERANCES.golden);
    } else if (name === "grad_logits" || name === "grad_masked_logits") {
      const key = name === "grad_logits" ? "gradLogits" : "gradMaskedLogits";
      const gradient = valuesOf(evaluation[key]);
      const tolerance = GRADIENT_TOLERANCES[golden.dtype];
      assertClose(t, `${golden.name} ${name}`, gradient, expected, tolerance);
    } else {
      const key = name.replace("tokens.", "").replace(/_[a-z]/g, (m) => m.slice(1).toUpperCase());
      const actual = valuesOf(tokens?.[key as keyof typeof tokens]);
      const elements = golden.counted;
      assertClose(t, `${golden.name} ${name}`, actual, expected, TOLERANCES.golden, { elements });
    }
  }
}

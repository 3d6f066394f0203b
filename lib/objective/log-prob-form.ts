/** The evaluation of a batch that comes as log-probs: no vocabulary, gradients in the per-token statistics. */
import { optionalNumberRows, shapeOf } from "../functional/inputs.js";
import { COTANGENTS, type CotangentName, line, newLines, STATISTICS } from "../ops/lines.js";
import { objectiveOfStatistics } from "./algebra.js";
import { type LogProbsBatch, rowData, rowFrame } from "./batch.js";
import { isExact, numbersAt } from "./coefficients.js";
import { type Evaluation, evaluationOf, type TokenTensor, tokenTensor } from "./evaluation.js";
import { checkMeasured, measuredOf } from "./measured.js";
import type { ResolvedOptions } from "./options.js";
import { uniformFor } from "./random.js";
import type { ObjectiveSpec } from "./spec.js";
import { objectiveWeights } from "./weights.js";

/**
 * Evaluates statistics that the caller computed.
 *
 * @returns with gradients in every statistic that was given; none in the masked log-probs and the masked entropy where
 *          the masked branch is constant
 * @throws PapoError as `Objective.evaluate`
 */
export function evaluateLogProbs(
  where: string,
  spec: ObjectiveSpec,
  batch: LogProbsBatch,
  options: ResolvedOptions,
): Evaluation {
  const frame = rowFrame(where, batch, shapeOf(batch.logProbs));
  const { rows } = frame.layout;
  const statistics = newLines(STATISTICS, rows);
  const given = new Set<CotangentName>();
  for (const name of COTANGENTS) {
    const values = optionalNumberRows(where, name, batch[name], rows);
    if (values === undefined) continue;
    given.add(name);
    line(statistics, STATISTICS, name).set(values);
  }
  const data = rowData(where, batch, frame);
  const reference = referenceOf(where, spec, batch, rows);
  const { coefficients, attributes } = numbersAt(where, spec, options.step, options.coefficients);
  const measured = measuredOf(spec, {
    oldLogProbs: data.oldLogProbs !== undefined,
    refLogProbs: data.refLogProbs !== undefined,
    refKl: reference !== undefined,
    refReverseKl: reference !== undefined,
    maskedLogProbs: given.has("maskedLogProbs"),
    entropy: given.has("entropy"),
    maskedEntropy: given.has("maskedEntropy"),
    kl: given.has("kl"),
    reverseKl: given.has("reverseKl"),
  });
  checkMeasured(where, spec, coefficients, measured);
  const { mask } = data;
  const { denominators, gradScale } = options;
  const weights = objectiveWeights(where, spec, coefficients, data, mask, denominators);
  const hasMasked = (["maskedLogProbs", "maskedEntropy", "kl", "reverseKl"] as const).some((name) =>
    given.has(name),
  );
  const { terms, cotangents, ratios, refSlopes, selected } = objectiveOfStatistics({
    where,
    spec,
    attributes,
    sftCoef: coefficients.sft,
    offsets: data.layout.offsets,
    refKl: reference?.values,
    random: uniformFor(where, spec.surrogate, options.seed),
    statistics,
    hasMasked,
    responseMask: mask,
    gradients: options.gradients,
    ...data,
    ...weights,
    // The exact KL takes its place.
    refLogProbs: isExact(spec.refKlEstimator) ? undefined : data.refLogProbs,
  });
  const differentiable = spec.maskedBranch === "differentiable";
  const gradients: Record<string, TokenTensor> = {};
  const put = (name: CotangentName | ReferenceName, slopes: Float64Array) => {
    const scaled = slopes.map((x) => x * gradScale);
    gradients[gradientName(name)] = tokenTensor(scaled, data.shape);
  };
  for (const name of cotangents ? given : []) {
    if (!differentiable && name.startsWith("masked")) continue;
    put(name, line(cotangents as Float64Array, COTANGENTS, name));
  }
  if (cotangents && reference && refSlopes) put(reference.name, refSlopes);
  const { perToken } = options;
  return evaluationOf(
    {
      ratios,
      selected,
      spec,
      data,
      mask,
      statistics,
      terms,
      weights,
      attributes,
      coefficients,
      measured,
      skippedRows: undefined,
      perToken,
    },
    gradients,
  );
}

type ReferenceName = "refKl" | "refReverseKl";

/** The exact KL to the reference that the spec's estimator is, where the batch has it. */
function referenceOf(
  where: string,
  { refKlEstimator }: ObjectiveSpec,
  batch: LogProbsBatch,
  rows: number,
): { readonly name: ReferenceName; readonly values: Float64Array } | undefined {
  // Both are looked at, also where the estimator takes neither.
  const all = {
    refKl: optionalNumberRows(where, "refKl", batch.refKl, rows),
    refReverseKl: optionalNumberRows(where, "refReverseKl", batch.refReverseKl, rows),
  };
  if (!isExact(refKlEstimator)) return undefined;
  const name = refKlEstimator === "exact" ? "refKl" : "refReverseKl";
  const values = all[name];
  return values && { name, values };
}

/** gradLogProbs of logProbs. */
function gradientName(name: CotangentName | ReferenceName): string {
  return `grad${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}

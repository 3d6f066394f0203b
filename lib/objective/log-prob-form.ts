/** The evaluation of a batch that comes as log-probs: no vocabulary, gradients in the per-token statistics. */
import { optionalNumberRows, shapeOf } from "../functional/inputs.js";
import { COTANGENTS, type CotangentName, line, newLines, STATISTICS } from "../ops/lines.js";
import { objectiveOfStatistics } from "./algebra.js";
import { type LogProbsBatch, rowData, rowFrame } from "./batch.js";
import { numbersAt } from "./coefficients.js";
import {
  type Evaluation,
  type EvaluationGradients,
  evaluationOf,
  tokenTensor,
} from "./evaluation.js";
import { checkMeasured, measuredOf } from "./measured.js";
import type { ResolvedOptions } from "./options.js";
import { uniformFrom } from "./random.js";
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
  const { coefficients, attributes } = numbersAt(where, spec, options.step);
  const measured = measuredOf(spec, {
    oldLogProbs: data.oldLogProbs !== undefined,
    refLogProbs: data.refLogProbs !== undefined,
    maskedLogProbs: given.has("maskedLogProbs"),
    entropy: given.has("entropy"),
    maskedEntropy: given.has("maskedEntropy"),
    kl: given.has("kl"),
    reverseKl: given.has("reverseKl"),
  });
  checkMeasured(where, spec, coefficients, measured);
  const { mask } = data;
  const [weights, entropyWeights] = objectiveWeights(where, spec, data, mask, options.denominators);
  const { oldLogProbs, refLogProbs, rolloutLogProbs, advantages } = data;
  const hasMasked = (["maskedLogProbs", "maskedEntropy", "kl", "reverseKl"] as const).some((name) =>
    given.has(name),
  );
  const shared = { oldLogProbs, refLogProbs, advantages, weights, entropyWeights, attributes };
  const { terms, cotangents, ratios } = objectiveOfStatistics({
    ...shared,
    where,
    spec,
    offsets: data.layout.offsets,
    rolloutLogProbs,
    random: uniformFrom(where, options.seed),
    statistics,
    hasMasked,
    responseMask: mask,
    gradients: options.gradients,
  });
  const gradient = (name: CotangentName) =>
    tokenTensor(
      line(cotangents as Float64Array, COTANGENTS, name).map((x) => x * options.gradScale),
      data.shape,
    );
  const wants = (name: CotangentName) => cotangents !== undefined && given.has(name);
  const masked = spec.maskedBranch === "differentiable";
  const gradients: EvaluationGradients = {
    ...(wants("logProbs") ? { gradLogProbs: gradient("logProbs") } : {}),
    ...(masked && wants("maskedLogProbs")
      ? { gradMaskedLogProbs: gradient("maskedLogProbs") }
      : {}),
    ...(wants("entropy") ? { gradEntropy: gradient("entropy") } : {}),
    ...(masked && wants("maskedEntropy") ? { gradMaskedEntropy: gradient("maskedEntropy") } : {}),
    ...(wants("kl") ? { gradKl: gradient("kl") } : {}),
    ...(wants("reverseKl") ? { gradReverseKl: gradient("reverseKl") } : {}),
  };
  return evaluationOf(
    {
      ...shared,
      data,
      mask,
      statistics,
      terms,
      ratios,
      coefficients,
      measured,
      skippedRows: undefined,
      perToken: options.perToken,
    },
    gradients,
  );
}

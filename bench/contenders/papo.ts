/** papo itself: the fused op behind an objective, and the same loss composed from public functions. */
import type {
  Denominators,
  Logits,
  Evaluation as LossEvaluation,
  Objective,
  PairStatistics,
  Scalar,
} from "../../lib/index.js";
import { type Batch, type LogitsArray, OBJECTIVE } from "../cases.js";
import { valuesOf } from "../truth.js";
import { papo } from "./built.js";
import type { Evaluation, OwnSetting, Results, Setting } from "./contender.js";
import { gradients, logitsTensor } from "./output-memory.js";

const {
  add,
  clippedSurrogate,
  mul,
  noGrad,
  objective,
  reduceTokens,
  selectiveLogSoftmax,
  sub,
  tokenKl,
  tokenStats,
  valueAndGrad,
} = papo;

/** One evaluation through an objective: statistics, loss and both gradients in one call of the engine. */
export function setUpFused(batch: Batch<LogitsArray>, setting: OwnSetting): Evaluation {
  if (setting.operation === "log-probs") return setUpLogProbs(batch, setting);
  const call = fusedCall(batch, setting);
  let last: LossEvaluation | undefined;
  return {
    ...(call.prepare && { prepare: call.prepare }),
    run() {
      last = call.objective.evaluate(call.batch, call.options);
    },
    results: () => call.results(last as LossEvaluation),
    freshOutputBytes: 0,
  };
}

export interface FusedCall {
  readonly objective: Objective;
  readonly batch: Parameters<Objective["evaluate"]>[0];
  readonly options: NonNullable<Parameters<Objective["evaluate"]>[1]>;
  readonly prepare: (() => void) | undefined;
  readonly results: (evaluation: LossEvaluation) => Results;
}

/** The arguments of one evaluation, for sync and async callers alike; `denominators` where the batch is a part of one. */
export function fusedCall(
  batch: Batch<LogitsArray>,
  setting: OwnSetting,
  denominators: Denominators = {},
): FusedCall {
  const { operation, outputs, dtype, firstRow } = setting;
  const wanted = operation === "gradients";
  const inPlace = outputs === "in place";
  const [gradLogits, gradMaskedLogits] = gradients(batch, dtype, wanted ? firstRow : 0);
  const [logits, maskedLogits] = inPlace ? [gradLogits, gradMaskedLogits] : inputs(batch, setting);
  const zeroed = outputs === "given, zeroed";
  const memory = inPlace
    ? { inPlace }
    : { gradLogits, gradMaskedLogits, ...(zeroed && { gradsZeroed: true }) };
  const fill = () => {
    for (const [to, from] of [
      [gradLogits, batch.logits],
      [gradMaskedLogits, batch.maskedLogits],
    ] as const) {
      if (inPlace) (to.data as LogitsArray).set(from);
      else (to.data as LogitsArray).fill(0);
    }
  };
  return {
    objective: objective(OBJECTIVE).build(),
    batch: { ...perRow(batch), logits, maskedLogits },
    options: { perToken: true, denominators, ...(wanted ? memory : { gradients: false }) },
    prepare: wanted && (inPlace || zeroed) ? fill : undefined,
    results({ loss, tokens }) {
      return {
        loss,
        ...(tokens && {
          logProbs: tokens.logProbs.data,
          entropy: tokens.entropy?.data as Float64Array,
          kl: tokens.kl?.data as Float64Array,
        }),
        ...(wanted && written([gradLogits, gradMaskedLogits], setting)),
      };
    },
  };
}

/** Log-probs of the sampled tokens under both policies and nothing else. */
function setUpLogProbs(batch: Batch<LogitsArray>, setting: Setting): Evaluation {
  const [logits, maskedLogits] = inputs(batch, setting);
  const { tokenIds } = batch;
  let logProbs: ArrayLike<number> = [];
  return {
    run() {
      logProbs = selectiveLogSoftmax({ logits, tokenIds }).data;
      selectiveLogSoftmax({ logits: maskedLogits, tokenIds });
    },
    results: () => ({ logProbs }),
    freshOutputBytes: 0,
  };
}

/** A loss in the library's public functions, and the statistics that it was made of. */
export type WrittenLoss = (
  logits: Logits,
  maskedLogits: Logits,
  batch: Batch<LogitsArray>,
) => readonly [loss: Scalar, statistics: PairStatistics];

/** The same loss as a user would write another one: two walks over the vocabulary, autograd between them. */
export function setUpComposed(batch: Batch<LogitsArray>, setting: OwnSetting): Evaluation {
  return setUpWritten(composedLoss, batch, setting);
}

/** A loss of a user's own. */
export function setUpWritten(
  lossOf: WrittenLoss,
  batch: Batch<LogitsArray>,
  setting: OwnSetting,
): Evaluation {
  const [logits, maskedLogits] = inputs(batch, setting);
  const out = gradients(batch, setting.dtype, setting.firstRow);
  let statistics: PairStatistics | undefined;
  const loss = (seeing: Logits, hidden: Logits): Scalar => {
    const [scalar, stats] = lossOf(seeing, hidden, batch);
    statistics = stats;
    return scalar;
  };
  const withGradients = valueAndGrad(loss, { out: [...out] });
  const wanted = setting.operation === "gradients";
  let last = 0;
  return {
    run() {
      const value = wanted
        ? withGradients(logits, maskedLogits)[0]
        : noGrad(() => loss(logits, maskedLogits));
      last = value.data[0] as number;
    },
    results: () => ({
      loss: last,
      logProbs: statistics?.logProbs.data as Float64Array,
      entropy: statistics?.entropy.data as Float64Array,
      kl: statistics?.kl.data as Float64Array,
      ...(wanted && written(out, setting)),
    }),
    freshOutputBytes: 0,
  };
}

const composedLoss: WrittenLoss = (logits, maskedLogits, batch) => {
  const { tokenIds, oldLogProbs, refLogProbs, advantages } = batch;
  const { clipLow, clipHigh, clipDual, reduction, denominatorEpsilon } = OBJECTIVE;
  const stats = tokenStats({ logits, maskedLogits, tokenIds });
  const { logProbs } = stats;
  const surrogate = clippedSurrogate({
    logProbs,
    oldLogProbs,
    advantages,
    clipLow,
    clipHigh,
    clipDual,
  });
  const refKl = tokenKl({
    logProbs,
    otherLogProbs: refLogProbs,
    estimator: OBJECTIVE.refKlEstimator,
  });
  const policyTerms = add(surrogate, mul(refKl, OBJECTIVE.refKlCoef));
  const seeingTerms = sub(policyTerms, mul(stats.kl, OBJECTIVE.perceptionKlCoef));
  const entropies = add(
    mul(stats.entropy, OBJECTIVE.entropyCoef),
    mul(stats.maskedEntropy, OBJECTIVE.maskedEntropyCoef),
  );
  const loss = reduceTokens(add(seeingTerms, entropies), { reduction, denominatorEpsilon });
  return [loss, stats];
};

/** The logits as tensors over the batch's own memory. */
function inputs(batch: Batch<LogitsArray>, { dtype }: Setting): readonly [Logits, Logits] {
  const { rows, vocab, logits, maskedLogits } = batch;
  return [logitsTensor(logits, rows, vocab, dtype), logitsTensor(maskedLogits, rows, vocab, dtype)];
}

function perRow({
  tokenIds,
  oldLogProbs,
  refLogProbs,
  advantages,
  responseMask,
}: Batch<LogitsArray>) {
  return { tokenIds, oldLogProbs, refLogProbs, advantages, responseMask };
}

function written([seeing, hidden]: readonly [Logits, Logits], { dtype }: Setting): Results {
  return {
    gradLogits: valuesOf(seeing.data as LogitsArray, dtype),
    gradMaskedLogits: valuesOf(hidden.data as LogitsArray, dtype),
  };
}

/**
 * The algebra of an objective on [rows]: from the statistics of tokens to terms and cotangents. All forms that are not
 * the fused op come through here: logits at once, in blocks or asynchronously, on any device, and log-probs.
 */
import { PapoError } from "../core/errors.js";
import { COTANGENTS, line, STATISTICS, TERMS } from "../ops/lines.js";
import {
  type TokenObjectiveArgs,
  type TokenObjectiveResult,
  tokenObjective,
} from "../ops/token-objective.js";
import type { SurrogateResult } from "../surrogates/surrogate.js";
import type { ObjectiveSpec } from "./spec.js";
import { surrogateOf } from "./surrogate-spec.js";

/** Rows between their statistics and their gradients: all of a batch, or a block where no part of the spec couples rows. */
export interface AlgebraArgs extends Omit<TokenObjectiveArgs, "advantages"> {
  readonly spec: ObjectiveSpec;
  /** [sequences + 1], of these rows. */
  readonly offsets: Int32Array;
  readonly rolloutLogProbs: Float64Array | undefined;
  readonly advantages: Float64Array;
  readonly random: () => number;
}

export interface AlgebraResult extends TokenObjectiveResult {
  /** [rows] the importance ratio that the surrogate works with; line `ratio` of the terms is that of the token. */
  readonly ratios: Float64Array;
}

/** Terms and cotangents; throws ERR_NOT_FINITE for an unusable number in a counted row. */
export function objectiveOfStatistics(args: AlgebraArgs): AlgebraResult {
  const { terms, cotangents } = tokenObjective({ ...args, advantages: undefined });
  const surrogate = surrogateOfRows(args);
  line(terms, TERMS, "surrogate").set(surrogate.values);
  line(terms, TERMS, "clip").set(surrogate.clips);
  line(terms, TERMS, "gradSurrogate").set(surrogate.slopes.map(Math.abs));
  if (cotangents) addTo(line(cotangents, COTANGENTS, "logProbs"), surrogate.slopes);
  return { terms, cotangents, ratios: surrogate.ratios };
}

function surrogateOfRows(args: AlgebraArgs): SurrogateResult {
  const { where, spec, statistics, responseMask: mask, advantages, rolloutLogProbs } = args;
  checkRows(where, "advantages", advantages, mask, Number.isFinite);
  if (rolloutLogProbs) checkRows(where, "rolloutLogProbs", rolloutLogProbs, mask, isNumber);
  const logProbs = line(statistics, STATISTICS, "logProbs");
  const { clipLow: low, clipHigh: high, clipDual: dual, logRatioLimit } = spec;
  const tokens = {
    where,
    offsets: args.offsets,
    mask,
    logProbs,
    oldLogProbs: args.oldLogProbs ?? logProbs,
    rolloutLogProbs,
    advantages,
    weights: args.weights,
    clip: { low, high, dual },
    logRatioLimit,
    random: args.random,
  };
  return surrogateOf(spec.surrogate).evaluate(tokens, spec.surrogate);
}

/** Adds `slopes` to the cotangents of a statistic. */
function addTo(cotangents: Float64Array, slopes: Float64Array): void {
  for (let row = 0; row < slopes.length; row++) {
    cotangents[row] = (cotangents[row] as number) + (slopes[row] as number);
  }
}

function isNumber(value: number): boolean {
  return !Number.isNaN(value);
}

/** Throws ERR_NOT_FINITE naming the first counted row whose value is of no use. */
function checkRows(
  where: string,
  name: string,
  values: Float64Array,
  mask: Int32Array | undefined,
  isUsable: (value: number) => boolean,
): void {
  const row = values.findIndex((value, i) => mask?.[i] !== 0 && !isUsable(value));
  if (row < 0) return;
  const what = isUsable === isNumber ? "a number" : "finite";
  const message = `[${where}] expected ${name}[${row}] to be ${what}, received ${values[row]}`;
  throw new PapoError("ERR_NOT_FINITE", message, { row });
}

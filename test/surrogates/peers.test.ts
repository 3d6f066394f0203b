/** Every surrogate that TRL and verl have too, against the losses and gradients that they compute themselves. */
import { readFileSync } from "node:fs";
import test from "ava";
import { layoutOf } from "../../lib/functional/layout.js";
import { type Reduction, rowWeights } from "../../lib/functional/row-weights.js";
import type { SurrogateKind } from "../../lib/surrogates/table.js";
import { assertClose } from "../support/close.js";
import { evaluate, lossOf, type Tokens, tokensOf } from "./batches.js";

/** Under the peers' own names; those of other terms too, which set an entry aside. */
interface Options {
  readonly loss_type?: string;
  readonly importance_sampling_level?: string;
  readonly importance_sampling_ratio?: boolean;
  readonly epsilon?: number;
  readonly epsilon_high?: number;
  readonly delta?: number;
  readonly policy_loss?: string;
  readonly loss_agg_mode?: string;
  readonly clip_ratio_low?: number;
  readonly clip_ratio_high?: number;
  readonly clip_ratio_c?: number;
  readonly rollout_is_weights?: boolean;
}

type Matrix = readonly (readonly number[])[];

interface Batch {
  readonly log_probs: Matrix;
  readonly old_log_probs: Matrix;
  readonly rollout_log_probs: Matrix;
  readonly response_mask: Matrix;
  readonly advantages: readonly number[];
}

interface Case {
  readonly peer: "trl" | "verl";
  readonly options: Options;
  readonly batch: number;
  readonly loss: number;
  readonly grad_log_probs: Matrix;
}

const url = new URL("../golden/peers/losses-and-advantages.json", import.meta.url);
const golden: { batches: Batch[]; losses: Case[] } = JSON.parse(readFileSync(url, "utf8"));

/** What a peer's options are here. */
interface Setting {
  readonly kind: SurrogateKind;
  readonly parameters?: object;
  readonly clip: { low: number; high: number; dual: number };
  readonly reduction: Reduction;
  /** Bound of the weight exp(old − rollout). */
  readonly rolloutMax?: number;
  /** What the peer adds to counts of tokens: verl 1e-8 to those of a sequence. */
  readonly epsilon: number;
  /** What its reduction is multiplied by in this library's terms. */
  readonly scale?: (sequences: number) => number;
}

const TRL_REDUCTIONS: Readonly<Record<string, Reduction>> = {
  grpo: "seq-mean-token-mean",
  sapo: "seq-mean-token-mean",
  bnpo: "token-mean",
  dapo: "token-mean",
  cispo: "token-mean",
  vespo: "token-mean",
  dr_grpo: "seq-mean-token-sum-norm",
  luspo: "seq-mean-token-sum",
};

function trlSetting(options: Options): Setting {
  const type = String(options.loss_type);
  const own: Readonly<Record<string, SurrogateKind>> = {
    cispo: "cispo",
    sapo: "sapo",
    vespo: "vespo",
  };
  const level = options.importance_sampling_level === "sequence" ? "gspo" : "ppo-clip";
  return {
    kind: own[type] ?? level,
    ...(type === "cispo" && { parameters: { ratioCap: options.epsilon_high } }),
    clip: {
      low: options.epsilon ?? 0.2,
      high: options.epsilon_high ?? 0.2,
      dual: options.delta ?? 0,
    },
    reduction: TRL_REDUCTIONS[type] as Reduction,
    ...(options.importance_sampling_ratio === true && { rolloutMax: 3 }),
    epsilon: 0,
  };
}

const VERL_KINDS: Readonly<Record<string, SurrogateKind>> = {
  vanilla: "ppo-clip",
  cispo: "cispo-two-sided",
  sapo: "sapo",
  gspo: "gspo-token",
  geo_mean: "gmpo",
  gpg: "reinforce",
  kl_cov: "kl-cov",
};

function verlSetting(options: Options): Setting {
  const loss = String(options.policy_loss);
  const mode = String(options.loss_agg_mode ?? "token-mean") as Reduction;
  const dual = loss === "vanilla" ? (options.clip_ratio_c ?? 3) : 0;
  return {
    kind: VERL_KINDS[loss] as SurrogateKind,
    ...(loss === "kl_cov" && { parameters: { fraction: 0.2, coefficient: 1 } }),
    clip: {
      low: options.clip_ratio_low ?? 0.2,
      high: options.clip_ratio_high ?? 0.28,
      dual,
    },
    reduction: loss === "geo_mean" ? "seq-mean-token-mean" : mode,
    ...(options.rollout_is_weights === true && { rolloutMax: 2 }),
    epsilon: mode === "seq-mean-token-mean" && loss !== "geo_mean" ? 1e-8 : 0,
    // verl leaves out the division by sequences.
    ...(mode === "seq-mean-token-sum-norm" && { scale: (sequences: number) => sequences }),
  };
}

function tokensFor(batch: Batch, setting: Setting, maxLength: number | undefined): Tokens {
  const [sequences, length] = [batch.log_probs.length, batch.log_probs[0]?.length ?? 0];
  const mask = Int32Array.from(batch.response_mask.flat());
  const layout = layoutOf("test", [sequences, length]);
  const { reduction, epsilon, scale, rolloutMax = Infinity } = setting;
  const denominators = maxLength === undefined ? {} : { maxLength };
  const weights = rowWeights("test", layout, mask, reduction, denominators, epsilon);
  const [old, rollout] = [batch.old_log_probs.flat(), batch.rollout_log_probs.flat()];
  const toSampler = (row: number) =>
    setting.rolloutMax === undefined
      ? 1
      : Math.min(Math.exp((old[row] as number) - (rollout[row] as number)), rolloutMax);
  return tokensOf({
    logProbs: batch.log_probs.flat(),
    oldLogProbs: old,
    advantages: batch.advantages.flatMap((a) => new Array<number>(length).fill(a)),
    weights: Array.from(weights, (w, row) => w * (scale?.(sequences) ?? 1) * toSampler(row)),
    mask: Array.from(mask),
    offsets: Array.from(layout.offsets),
    clip: setting.clip,
  });
}

/** Not what a surrogate alone is: a KL term, or a mask of sequences. */
const isMore = ({ options }: Case) =>
  "kl_penalty" in options || "beta" in options || "off_policy_mask_threshold" in options;

const cases = golden.losses.filter((one) => !isMore(one));

/** A few roundings of sums of at most 28 products; gradients against their largest element. */
const ROUNDING = { rtol: 1e-12, atol: 0 };

for (const one of cases) {
  if (one.options.policy_loss === "geo_mean") continue;
  test(`${one.peer} ${JSON.stringify(one.options)} on batch ${one.batch}`, (t) => {
    const setting = one.peer === "trl" ? trlSetting(one.options) : verlSetting(one.options);
    const batch = golden.batches[one.batch] as Batch;
    const tokens = tokensFor(batch, setting, one.peer === "trl" ? 16 : undefined);
    const result = evaluate(setting.kind, tokens, setting.parameters);
    assertClose(t, "loss", lossOf(result, tokens), one.loss, ROUNDING);
    assertClose(t, "gradient", result.slopes, one.grad_log_probs.flat(), ROUNDING);
  });
}

// verl adds 1e-8 to the count in GMPO's exponent and in its mean advantage, which moves numbers by 1e-8 of themselves.
// From our ratio g and n tokens its loss follows exactly: −A·k·g^k with k = n / (n + 1e-8), and its gradient, k/n of that.
for (const one of cases.filter(({ options }) => options.policy_loss === "geo_mean")) {
  test(`verl ${JSON.stringify(one.options)} on batch ${one.batch}`, (t) => {
    const setting = verlSetting(one.options);
    const batch = golden.batches[one.batch] as Batch;
    const tokens = tokensFor(batch, setting, undefined);
    const { values, slopes, ratios } = evaluate(setting.kind, tokens);
    const length = batch.log_probs[0]?.length ?? 0;
    const gradient: number[] = [];
    let loss = 0;
    batch.response_mask.forEach((mask, s) => {
      const n = mask.reduce((sum, m) => sum + m, 0);
      const k = n / (n + 1e-8);
      const ratio = ratios[s * length] as number;
      const change = k * ratio ** (k - 1);
      loss += ((values[s * length] as number) * change) / batch.advantages.length;
      for (let i = 0; i < length; i++) {
        gradient.push((slopes[s * length + i] as number) * change * k);
      }
    });
    assertClose(t, "loss", loss, one.loss, ROUNDING);
    assertClose(t, "gradient", gradient, one.grad_log_probs.flat(), ROUNDING);
  });
}

test("all that the peers have of surrogates is compared", (t) => {
  const kinds = new Set(
    cases.map((one) => (one.peer === "trl" ? trlSetting : verlSetting)(one.options).kind),
  );
  t.deepEqual([...kinds].sort(), [
    "cispo",
    "cispo-two-sided",
    "gmpo",
    "gspo",
    "gspo-token",
    "kl-cov",
    "ppo-clip",
    "reinforce",
    "sapo",
    "vespo",
  ]);
  t.is(cases.length, 136);
});

/** What an advantage estimator is: its entry in the table, what it sees, what it gives. */

/** A number in `range` (both ends allowed), a whole one where `whole` says so. */
export interface NumberParameter {
  /** Its value if it is not said. */
  readonly default: number;
  /** Smallest and largest number that are taken. */
  readonly range: readonly [low: number, high: number];
  /** Present where only whole numbers are taken. */
  readonly whole?: true;
  /** What it does, in words. */
  readonly meaning: string;
}

/** One of `words`. */
export interface WordParameter<W extends string = string> {
  /** Its value if it is not said. */
  readonly default: W;
  /** The words that are taken. */
  readonly words: readonly W[];
  /** What it does, in words. */
  readonly meaning: string;
}

/** Yes or no. */
export interface FlagParameter {
  /** Its value if it is not said. */
  readonly default: boolean;
  /** What it does, in words. */
  readonly meaning: string;
}

/** A parameter of an estimator as data. */
export type Parameter = NumberParameter | WordParameter | FlagParameter;

type ParameterOf<V> = [V] extends [number]
  ? NumberParameter
  : [V] extends [boolean]
    ? FlagParameter
    : [V] extends [string]
      ? WordParameter<V>
      : never;

/** What beside the rewards an estimator cannot do without. */
export type AdvantageNeed =
  | "groups"
  | "lengths"
  | "baselines"
  | "rewardComponents"
  | "tokens"
  | "values";

/**
 * The batch in the one form that estimators read. Fields that the kind does not need are empty.
 * Sequences without a reward are in no group and have no tokens; what is not written to stays 0.
 */
export interface AdvantageBatch {
  /** For errors. */
  readonly where: string;
  readonly sequences: number;
  /** [sequences] one finite number each, NaN where it is missing. */
  readonly rewards: Float64Array;
  /** [sequences] 1 where there is a reward. */
  readonly present: Int32Array;
  /** Indices of each group's sequences that have a reward, ascending. */
  readonly groups: readonly Int32Array[];
  /** [sequences] tokens that count. */
  readonly lengths: Float64Array;
  /** [sequences] */
  readonly baselines: Float64Array;
  /** [components][sequences], NaN where one is missing. */
  readonly components: readonly Float64Array[];
  /** [components] */
  readonly componentWeights: Float64Array;
  /** Tokens of the batch, those of padding and missing sequences included. */
  readonly rows: number;
  /** Rows of each sequence's tokens that count, in order; none where the reward is missing. */
  readonly tokens: readonly Int32Array[];
  /** [rows] reward of each token, the sequence's own on its last one. */
  readonly tokenRewards: Float64Array;
  /** [rows] */
  readonly values: Float64Array;
}

export interface Estimated {
  /** [sequences] or [rows], as `level` says. */
  readonly advantages: Float64Array;
  /** [rows] what a value function should have said; token level only. */
  readonly returns?: Float64Array;
}

/** One estimator of the table. */
export interface AdvantageDefinition<P extends object = Record<never, never>> {
  /** Its name in `estimateAdvantages`. */
  readonly kind: string;
  /** In a line. */
  readonly summary: string;
  /** The advantage as a formula, in plain text. */
  readonly formula: string;
  /** Paper and equation, or the code it was read from. */
  readonly source: string;
  /** Who else has it, under which name or option, with which constants. */
  readonly peers: readonly string[];
  /** What is wrong or different elsewhere. */
  readonly findings: readonly string[];
  /** One advantage per sequence, or per token. */
  readonly level: "sequence" | "token";
  /** What it cannot do without. */
  readonly needs: readonly AdvantageNeed[];
  /** Its parameters, by name. */
  readonly parameters: { readonly [K in keyof P]: ParameterOf<P[K]> };
  /** The advantages of a batch; `estimateAdvantages` checks and calls it. */
  estimate(batch: AdvantageBatch, parameters: P): Estimated;
}

/** What an importer is made of, one small entry per option of the peer, and what an import gives. */
import type { Denominators } from "../functional/row-weights.js";
import type { ObjectiveSpec, ObjectiveSpecInput, SpecKey } from "../objective/spec.js";
import type { Reader } from "../objective/spec-values.js";

/** The arguments of `estimateAdvantages` that a config fixes: the kind, and its parameters. */
export interface ImportedAdvantages {
  /** The estimator. */
  readonly kind: string;
  readonly [parameter: string]: number | string | boolean;
}

/** The rule of `filterGroups` that a config fixes. */
export interface ImportedGroupFilter {
  /** What is looked at: the mean of a group, or its spread. */
  readonly rule: "mean" | "spread";
  /** What happens where no group is kept. */
  readonly fallback: "none" | "keep-all";
  /** A group with a mean at or below it is left out; "mean" only. */
  readonly low?: number;
  /** A group with a mean at or above it is left out; "mean" only. */
  readonly high?: number;
}

/** Fields of a batch that an imported objective cannot do without. */
export type NeededField =
  | "oldLogProbs"
  | "refLogProbs"
  | "rolloutLogProbs"
  | "maskedLogProbs"
  | "accuracies"
  | "entropy";

/** A part of the config that has no counterpart here; what was imported leaves it out. */
export interface NotExpressible {
  /** Its name in the config. */
  readonly option: string;
  /** What the config has there. */
  readonly value: unknown;
  /** Why it cannot be said here. */
  readonly why: string;
}

/** Something the peer computes otherwise than the import, knowingly. */
export interface Difference {
  /** What is otherwise. */
  readonly what: string;
  /** The reason. */
  readonly why: string;
}

/** What an importer makes of a config. Plain data. */
export interface PeerImport {
  /** Whose config it was. */
  readonly peer: PeerName;
  /** Complete and checked; `new Objective(spec)`. */
  readonly spec: ObjectiveSpec;
  /** Absent where the config says nothing of advantages, or nothing that exists here. */
  readonly advantages?: ImportedAdvantages;
  /** Absent where every group is kept. */
  readonly groupFilter?: ImportedGroupFilter;
  /** Constants that belong into `denominators` of every evaluation. */
  readonly denominators: Denominators;
  /** Counts that have to be those of the whole batch of an update, not of one micro-batch. */
  readonly wholeBatch: readonly ("tokens" | "sequences")[];
  /** Fields of the batch that the objective needs beside log-probs and advantages. */
  readonly batch: readonly NeededField[];
  /** What the caller has to do to get the peer's numbers, as sentences. */
  readonly rules: readonly string[];
  /** Parts of the config that were left out. */
  readonly notExpressible: readonly NotExpressible[];
  /** What the peer computes otherwise. */
  readonly differences: readonly Difference[];
  /** Options that were not read: neither of the loss nor known to be none of its business. */
  readonly ignored: readonly string[];
}

/** What one option, or what a peer always does, adds to an import. Later keys of a spec replace earlier ones. */
export interface Contribution {
  readonly spec?: ObjectiveSpecInput | undefined;
  readonly advantages?: ImportedAdvantages | undefined;
  readonly groupFilter?: ImportedGroupFilter | undefined;
  readonly denominators?: Denominators | undefined;
  readonly wholeBatch?: readonly ("tokens" | "sequences")[] | undefined;
  readonly batch?: readonly NeededField[] | undefined;
  readonly rules?: readonly string[] | undefined;
  /** Why this value of the option has no counterpart. */
  readonly notExpressible?: string | undefined;
  readonly differences?: readonly Difference[] | undefined;
}

/** Where an option lands: a key of a spec, or another part of an import. */
export type Place =
  | SpecKey
  | "advantages"
  | "groupFilter"
  | "denominators"
  | "wholeBatch"
  | "batch"
  | "rules"
  | "notExpressible";

/** One option of a peer. */
export interface PeerOption<V, O> {
  /** Path before its name in the peer's own config; a config may begin anywhere on it. */
  readonly section?: string;
  /** Older and other names of the same option, with their sections. */
  readonly alsoNamed?: readonly string[];
  /** What holds where a config does not have it. */
  readonly default: V;
  /** Checks a value; null and words are converted to what the table works with. */
  readonly read: Reader<V>;
  /** One line, for the generated page. */
  readonly meaning: string;
  /** Where it lands, for the generated page and for suggestions. */
  readonly ours: readonly Place[];
  /** What its value means here; absent where another option reads it. `isGiven`: the config has it. */
  readonly to?: (value: V, options: O, isGiven: boolean) => Contribution;
}

/** The table of a peer, an entry per option, or a part of one. */
export type PeerOptions<Part, O = Part> = { readonly [K in keyof Part]: PeerOption<Part[K], O> };

export const PEER_NAMES = ["TRL", "verl", "Liger", "PAPO authors"] as const;
/** Whose configurations are read. */
export type PeerName = (typeof PEER_NAMES)[number];

/** A peer: what it always does, its options, and options that are none of a loss's business. */
export interface Peer<O> {
  readonly name: PeerName;
  /** The importer's name, in brackets at the start of messages. */
  readonly where: string;
  /** Which version was read. */
  readonly source: string;
  /** What no option changes. */
  readonly always: Contribution;
  readonly options: PeerOptions<O>;
  /** What a choice among the given options puts in the place of defaults, such as a file of theirs. */
  readonly under?: (given: Partial<O>) => Partial<O>;
  /** Names, or `section.*`, that are passed over without a word: optimiser, data, generation, logging. */
  readonly unrelated: readonly string[];
}

/** What stands before fragments: the names of a reader's own program that a page takes for granted. */

const TFJS = `
import * as tf from "@tensorflow/tfjs";
import "@tensorflow/tfjs-backend-cpu";
import { objective } from "papo";
const logits = tf.variable<tf.Rank.R3>(tf.ones([2, 3, 5]));
const maskedLogits = tf.zeros<tf.Rank.R3>([2, 3, 5]);
const tokenIds = [1, 4, 0, 2, 2, 3];
const oldLogProbs = [-1.5, -1.2, -1.9, -1.6, -1.4, -2.1];
const advantages = [1, -1];
const optimizer = tf.train.sgd(0.1);
const log = console.log;
`;

const MASKING = `
const [width, height, step, prompt] = [28, 28, 0, 7];
const pixels = new Uint8Array(28 * 28 * 3);
const images = Array.from({ length: 6 }, () => {
  const data = new Float32Array(28 * 28 * 3);
  return { data, layout: "chw" as const, width, height, channels: 3 };
});
`;

const DEVICE = `
declare const theirs: { readonly stream: bigint; readonly logits: bigint };
const [rows, vocab] = [4, 1000];
const tokenIds = [1, 2, 3, 4];
const advantages = [1, -1, 1, -1];
`;

const ADVANTAGES = `
import { estimateAdvantages, filterGroups } from "papo";
const rewards = [1, 0, 0, 1, 0];
const accuracies = rewards;
`;

const PRELUDES: readonly (readonly [page: string, has: RegExp, prelude: string])[] = [
  ["README.md", /tfjsObjective\(tf/, TFJS],
  ["lib/masking/README.md", /maskImage\(/, MASKING],
  ["lib/cuda/README.md", /theirs/, DEVICE],
  ["lib/advantages/README.md", /estimateAdvantages\("grpo", \{ rewards/, ADVANTAGES],
  ["docs/objectives.md", /^objective\(/, 'import { objective } from "papo";\n'],
];

/** Fragments of pages that need a machine of their own: their types are checked. */
export const TYPES_ONLY: readonly string[] = ["lib/cuda/README.md"];

/** A block as a whole program. */
export function completed(page: string, code: string): string {
  const [, , prelude = ""] = PRELUDES.find(([at, has]) => at === page && has.test(code)) ?? [];
  return prelude + code;
}

/** The float64 reference as a peer: the same loss in plain TypeScript, written to be read. */
import { objectiveOfStatistics, tokenStats } from "../../lib/reference/index.js";
import { type Batch, OBJECTIVE } from "../cases.js";
import { truthOf } from "../truth.js";
import type { Evaluation, Peer, Results, Setting } from "./contender.js";

export const PLAIN: Peer = {
  name: "plain",
  label: "plain TypeScript, papo/reference",
  operations: ["forward", "gradients"],
  threads: "one",
  largest: () => ({ logits: 16 * 151_936, reason: "its time" }),
  absent: async () => undefined,
  version: async () => process.version,
  setUp,
};

function setUp(batch: Batch, { operation }: Setting): Evaluation {
  let last: Results = {};
  return {
    run() {
      last = operation === "forward" ? forward(batch) : gradients(batch);
    },
    results: () => last,
    freshOutputBytes: operation === "gradients" ? 2 * 8 * batch.rows * batch.vocab : 0,
  };
}

function forward(batch: Batch): Results {
  const { vocab: vocabSize, ...rest } = batch;
  const statistics = tokenStats({ ...rest, vocabSize });
  const { loss } = objectiveOfStatistics({ ...rest, ...OBJECTIVE, statistics });
  return { ...statistics, loss };
}

function gradients(batch: Batch): Results {
  const { tokens, loss, gradLogits, gradMaskedLogits } = truthOf(batch, "float32");
  return { ...tokens, loss, gradLogits, gradMaskedLogits: gradMaskedLogits as Float64Array };
}

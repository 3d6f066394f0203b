/** The loss as ONNX graphs: forward, and its gradients in closed form, since the runtime for Node.js has no autograd. */
import { OBJECTIVE } from "../cases.js";
import { OnnxGraph, type Value } from "./onnx-model.js";

/** Serialised models for batches of `vocab` columns. `rows` of the whole batch are the mean's denominator. */
export function lossModel(vocab: number, rows: number, withGradients: boolean): Uint8Array {
  const graph = new OnnxGraph();
  const wide = ["rows", vocab] as const;
  const tall = ["rows", 1] as const;
  const logits = graph.input("logits", "float32", wide);
  const maskedLogits = graph.input("maskedLogits", "float32", wide);
  const tokenIds = graph.input("tokenIds", "int64", tall);
  const column = (name: string) => graph.input(name, "float32", tall);
  const [oldLogProbs, refLogProbs, advantages] = ["oldLogProbs", "refLogProbs", "advantages"].map(
    column,
  ) as [Value, Value, Value];

  const op = graph.op.bind(graph);
  const scaled = (value: Value, factor: number) => op("Mul", [value, graph.scalar(factor)]);

  const logP = op("LogSoftmax", [logits], { axis: -1 });
  const logQ = op("LogSoftmax", [maskedLogits], { axis: -1 });
  const p = op("Exp", [logP]);
  const q = op("Exp", [logQ]);
  // The runtime's own matrix product takes the second factor transposed: a dot product per row, without a product in memory.
  const middle = graph.integers(1);
  const dot = (a: Value, b: Value) => {
    const factors = [op("Unsqueeze", [a, middle]), op("Unsqueeze", [b, middle])];
    return op("Squeeze", [op("FusedMatMul", factors, { transB: 1 }, "com.microsoft"), middle]);
  };
  const entropy = op("Neg", [dot(p, logP)]);
  const maskedEntropy = op("Neg", [dot(q, logQ)]);
  const kl = op("Neg", [op("Add", [entropy, dot(p, logQ)])]);
  const logProbs = op("GatherElements", [logP, tokenIds], { axis: 1 });

  const ratio = op("Exp", [op("Sub", [logProbs, oldLogProbs])]);
  const [low, high] = [graph.scalar(1 - OBJECTIVE.clipLow), graph.scalar(1 + OBJECTIVE.clipHigh)];
  const minusAdvantages = op("Neg", [advantages]);
  const pessimistic = op("Max", [
    op("Mul", [minusAdvantages, ratio]),
    op("Mul", [minusAdvantages, op("Clip", [ratio, low, high])]),
  ]);
  const bounded = op("Min", [pessimistic, scaled(minusAdvantages, OBJECTIVE.clipDual)]);
  const negative = op("Less", [advantages, graph.scalar(0)]);
  const surrogate = op("Where", [negative, bounded, pessimistic]);
  const difference = op("Sub", [refLogProbs, logProbs]);
  const growth = op("Sub", [op("Exp", [difference]), graph.scalar(1)]);
  const refKl = op("Sub", [growth, difference]);
  const terms = op("Sum", [
    surrogate,
    scaled(refKl, OBJECTIVE.refKlCoef),
    scaled(kl, -OBJECTIVE.perceptionKlCoef),
    scaled(entropy, OBJECTIVE.entropyCoef),
    scaled(maskedEntropy, OBJECTIVE.maskedEntropyCoef),
  ]);
  graph.output("losses", scaled(terms, 1 / rows), tall);
  graph.output("logProbs", logProbs, tall);
  graph.output("entropy", entropy, tall);
  graph.output("kl", kl, tall);
  if (!withGradients) return graph.model();

  // ∂loss/∂(log-prob): the surrogate where no clip binds, and k3.
  const overDual = op("Greater", [ratio, graph.scalar(OBJECTIVE.clipDual)]);
  const clipped = op("Or", [op("Less", [ratio, low]), overDual]);
  const zero = graph.scalar(0);
  const slopeOfRatio = op("Mul", [minusAdvantages, ratio]);
  const free = op("Where", [
    negative,
    op("Where", [clipped, zero, slopeOfRatio]),
    op("Where", [op("Greater", [ratio, high]), zero, slopeOfRatio]),
  ]);
  const slope = scaled(op("Sub", [free, scaled(growth, OBJECTIVE.refKlCoef)]), 1 / rows);
  const k = -OBJECTIVE.perceptionKlCoef / rows;
  const [h, hq] = [OBJECTIVE.entropyCoef / rows, OBJECTIVE.maskedEntropyCoef / rows];
  // p·((k − h)·log p − k·log q − (k·kl + h·entropy + slope)), the slope added at the chosen token
  const level = op("Add", [op("Add", [scaled(kl, k), scaled(entropy, h)]), slope]);
  const mixed = op("Sub", [scaled(logP, k - h), scaled(logQ, k)]);
  const dense = op("Mul", [p, op("Sub", [mixed, level])]);
  const chosen = op("GatherElements", [dense, tokenIds], { axis: 1 });
  const patched = op("ScatterElements", [dense, tokenIds, op("Add", [chosen, slope])], { axis: 1 });
  graph.output("gradLogits", patched, wide);
  // q·(k − h·entropy − h·log q) − k·p
  const maskedLevel = op("Sub", [graph.scalar(k), scaled(maskedEntropy, hq)]);
  const maskedMixed = op("Sub", [maskedLevel, scaled(logQ, hq)]);
  graph.output("gradMaskedLogits", op("Sub", [op("Mul", [q, maskedMixed]), scaled(p, k)]), wide);
  return graph.model();
}

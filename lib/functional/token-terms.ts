/** One term of the objective from given log-probabilities: a single native call gives its values and its slopes. */
import { PapoError } from "../core/errors.js";
import { COTANGENTS, line, newLines, STATISTICS, TERMS, type TermName } from "../ops/lines.js";
import { recordElementwise } from "../ops/pointwise.js";
import { type ObjectiveAttributes, tokenObjective } from "../ops/token-objective.js";
import { type Rows, Tensor } from "../tensor/tensor.js";
import {
  leadingNumberRows,
  type MaskInput,
  maskRows,
  type NumbersInput,
  numberRows,
} from "./inputs.js";
import { checkAttributes, OBJECTIVE_DEFAULTS } from "./papo-loss-options.js";

export interface TokenTerm {
  readonly where: string;
  /** The term wanted; `attributes` must give it the coefficient that makes it count +1 in the loss. */
  readonly term: TermName;
  readonly attributes: Partial<ObjectiveAttributes>;
  /** The argument that the term is nothing without. */
  readonly needs: "otherLogProbs" | "advantages";
  /** Receives gradient where it is a tensor. */
  readonly logProbs: NumbersInput;
  /** In the place of the masked policy; receives gradient where it is a tensor. */
  readonly otherLogProbs?: NumbersInput | undefined;
  readonly oldLogProbs?: NumbersInput | undefined;
  readonly advantages?: NumbersInput | undefined;
  readonly responseMask?: MaskInput | undefined;
}

/** The values of the term, [rows]. */
export function tokenTerm(args: TokenTerm): Rows {
  const { where, logProbs, otherLogProbs } = args;
  const attributes: ObjectiveAttributes = {
    ...OBJECTIVE_DEFAULTS,
    maskedBranch: "differentiable",
    ...args.attributes,
  };
  checkAttributes(where, attributes);
  const own = leadingNumberRows(where, "logProbs", logProbs);
  const rows = own.length;
  const responseMask = maskRows(where, "responseMask", args.responseMask, rows);
  const numbers = (name: "otherLogProbs" | "oldLogProbs" | "advantages") =>
    args[name] === undefined && name !== args.needs
      ? undefined
      : numberRows(where, name, args[name] as NumbersInput, rows);
  const other = numbers("otherLogProbs");
  if (other) checkNumbers(where, "otherLogProbs", other, responseMask);

  const statistics = newLines(STATISTICS, rows);
  line(statistics, STATISTICS, "logProbs").set(own);
  if (other) line(statistics, STATISTICS, "maskedLogProbs").set(other);
  const { terms, cotangents } = tokenObjective({
    where,
    statistics,
    hasMasked: other !== undefined,
    oldLogProbs: numbers("oldLogProbs"),
    advantages: numbers("advantages"),
    responseMask,
    weights: new Float64Array(rows).fill(1),
    entropyWeights: new Float64Array(rows),
    attributes,
  });

  const values = line(terms, TERMS, args.term).slice();
  const result: Rows = new Tensor(where, values, { shape: [rows] });
  const inputs = [logProbs, otherLogProbs].map((x) => (x instanceof Tensor ? x : undefined));
  const lines = ["logProbs", "maskedLogProbs"] as const;
  recordElementwise(inputs, result, (input) =>
    line(cotangents as Float64Array, COTANGENTS, lines[input] as (typeof lines)[number]),
  );
  return result;
}

/** Done here because the native check would call this argument by another name. */
function checkNumbers(
  where: string,
  name: string,
  values: Float64Array,
  mask: Int32Array | undefined,
): void {
  const row = values.findIndex((value, i) => Number.isNaN(value) && mask?.[i] !== 0);
  if (row < 0) return;
  const message = `[${where}] expected ${name}[${row}] to be a number, received NaN`;
  throw new PapoError("ERR_NOT_FINITE", message, { row });
}

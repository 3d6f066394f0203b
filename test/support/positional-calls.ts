/** A valid call of every verb that takes its arguments one by one, as fields that can be spoiled. */
import * as papo from "../../lib/index.js";

type Fields = Record<string, unknown>;
type Call = readonly [(fields: Fields) => unknown, () => Fields];
type Calls = Record<string, Call>;

const rows = (): papo.Rows =>
  papo.tensor(Float64Array.of(0.5, 1, 2), { requiresGrad: true }) as papo.Rows;
const loss = (x: papo.Rows) => papo.reduceTokens(x);

/** The fields are the arguments, in their order. */
function call(verb: unknown, fields: () => Fields): Call {
  const names = Object.keys(fields());
  return [
    (f) =>
      Reflect.apply(
        verb as never,
        null,
        names.map((name) => f[name]),
      ),
    fields,
  ];
}

const one = (): Fields => ({ a: rows() });
const two = (): Fields => ({ a: rows(), b: 2 });

export const POSITIONAL_CALLS: Calls = {
  neg: call(papo.neg, one),
  exp: call(papo.exp, one),
  log: call(papo.log, one),
  detach: call(papo.detach, one),
  add: call(papo.add, two),
  sub: call(papo.sub, two),
  mul: call(papo.mul, two),
  div: call(papo.div, two),
  min: call(papo.min, two),
  max: call(papo.max, two),
  clamp: call(papo.clamp, () => ({ a: rows(), low: 0, high: 1 })),
  where: call(papo.where, () => ({ condition: [1, 0, true], a: rows(), b: 0 })),
  scalar: call(papo.scalar, () => ({ value: 1 })),
  toFloat16: call(papo.toFloat16, () => ({ values: [1, 2] })),
  fromFloat16: call(papo.fromFloat16, () => ({ data: Uint16Array.of(1, 2) })),
  toBfloat16: call(papo.toBfloat16, () => ({ values: [1, 2] })),
  fromBfloat16: call(papo.fromBfloat16, () => ({ data: Uint16Array.of(1, 2) })),
  noGrad: call(papo.noGrad, () => ({ f: () => 1 })),
  valueAndGrad: [
    ({ f, x }) => papo.valueAndGrad(f as never)(x as never),
    () => ({ f: loss, x: rows() }),
  ],
  valueAndGradAsync: [
    ({ f, x }) => papo.valueAndGradAsync(f as never)(x as never),
    () => ({ f: loss, x: rows() }),
  ],
  parseSpec: call(papo.parseSpec, () => ({ text: '{"clipLow":0.1}', where: "here" })),
  presetSummary: call(papo.presetSummary, () => ({ id: "grpo" })),
};

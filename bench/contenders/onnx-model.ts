/** Writes ONNX models: the few fields of its protocol buffers that a graph of tensors needs. */

/** A tensor of the graph, by its name. */
export type Value = string & { readonly kind?: "a value of an ONNX graph" };

type Attributes = Readonly<Record<string, number>>;

const FLOAT = 1;
const INT64 = 7;
const ATTRIBUTE_INT = 2;
const IR_VERSION = 8;
/** Sets of operators and their versions: the standard's, which has no name, and the runtime's own. */
const OPSETS = [
  ["", 18],
  ["com.microsoft", 1],
] as const;
type Domain = (typeof OPSETS)[number][0];

/** A graph that grows node by node: every call gives the name of what it computes. */
export class OnnxGraph {
  readonly #parts: Buffer[] = [];
  #values = 0;

  /** A float32 or int64 input; sizes are numbers, or names of sizes left open. */
  input(name: string, type: "float32" | "int64", shape: readonly (number | string)[]): Value {
    this.#parts.push(bytes(11, valueInfo(name, type === "float32" ? FLOAT : INT64, shape)));
    return name;
  }

  /** A float32 output: `value` under a name of its own. */
  output(name: string, value: Value, shape: readonly (number | string)[]): void {
    this.#parts.push(bytes(1, node("Identity", [value], name, {}, "")));
    this.#parts.push(bytes(12, valueInfo(name, FLOAT, shape)));
  }

  /** A float32 scalar. */
  scalar(value: number): Value {
    return this.#constant(FLOAT, [], Buffer.from(Float32Array.of(value).buffer));
  }

  /** A vector of integers, such as the axes of a reduction. */
  integers(...values: number[]): Value {
    const data = BigInt64Array.from(values, BigInt);
    return this.#constant(INT64, [values.length], Buffer.from(data.buffer));
  }

  /** One operator with one output. */
  op(
    type: string,
    inputs: readonly Value[],
    attributes: Attributes = {},
    domain: Domain = "",
  ): Value {
    const output = this.#name();
    this.#parts.push(bytes(1, node(type, inputs, output, attributes, domain)));
    return output;
  }

  /** The serialised ModelProto. */
  model(): Uint8Array {
    const graph = Buffer.concat([...this.#parts, text(2, "papo")]);
    return Buffer.concat([
      integer(1, IR_VERSION),
      bytes(7, graph),
      ...OPSETS.map(([domain, version]) =>
        bytes(8, Buffer.concat([text(1, domain), integer(2, version)])),
      ),
    ]);
  }

  #constant(type: number, dims: readonly number[], data: Buffer): Value {
    const name = this.#name();
    const fields = [...dims.map((size) => integer(1, size)), integer(2, type), text(8, name)];
    this.#parts.push(bytes(5, Buffer.concat([...fields, bytes(9, data)])));
    return name;
  }

  #name(): Value {
    return `v${this.#values++}`;
  }
}

function node(
  type: string,
  inputs: readonly Value[],
  output: Value,
  attributes: Attributes,
  domain: Domain,
) {
  return Buffer.concat([
    ...inputs.map((input) => text(1, input)),
    text(2, output),
    text(4, type),
    ...Object.entries(attributes).map(([name, value]) =>
      bytes(5, Buffer.concat([text(1, name), integer(3, value), integer(20, ATTRIBUTE_INT)])),
    ),
    text(7, domain),
  ]);
}

function valueInfo(name: string, type: number, shape: readonly (number | string)[]) {
  const dims = shape.map((size) =>
    bytes(1, typeof size === "number" ? integer(1, size) : text(2, size)),
  );
  const tensor = Buffer.concat([integer(1, type), bytes(2, Buffer.concat(dims))]);
  return Buffer.concat([text(1, name), bytes(2, bytes(1, tensor))]);
}

/** A field that holds bytes: a string, or another message. */
function bytes(field: number, data: Uint8Array): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(data.length), data]);
}

function text(field: number, value: string): Buffer {
  return bytes(field, Buffer.from(value));
}

function integer(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

/** Seven bits to the byte, the lowest first; negative numbers as 64 bits of two's complement. */
function varint(value: number): Buffer {
  const groups: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    groups.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(groups);
}

/** Ways to spoil a safetensors file: its bytes, and the words and numbers of its header. */
import fc from "fast-check";
import { lengthBytes } from "../support/safetensors-bytes.js";

/** Places are fractions of what is there, or numbers that are taken modulo. */
export type Mutation =
  | { readonly kind: "bytes"; readonly at: number; readonly drop: number; readonly put: Uint8Array }
  | { readonly kind: "over"; readonly at: number; readonly put: Uint8Array }
  | { readonly kind: "flip"; readonly at: number; readonly bit: number }
  | { readonly kind: "cut"; readonly at: number }
  | { readonly kind: "token"; readonly at: number; readonly text: string }
  | { readonly kind: "double"; readonly at: number; readonly tokens: number }
  | { readonly kind: "member"; readonly at: number }
  | { readonly kind: "respell"; readonly at: number; readonly as: string }
  | { readonly kind: "drop"; readonly at: number; readonly tokens: number }
  | { readonly kind: "swap"; readonly at: number; readonly other: number }
  | { readonly kind: "length"; readonly length: bigint };

const TOKENS = /"(?:[^"\\]|\\.)*"|[^\s"{}[\],:]+|[{}[\],:]|\s+|"/g;

/** What a header should not have where it is put, in JSON or nearly so. */
const HOSTILE_TEXTS: readonly string[] = [
  ...["0", "1", "2", "-1", "-0", "1.5", "1.0", "1e2", "1E400", "-1e400", "01", "+1", ".5", "NaN"],
  ...["9007199254740991", "9007199254740992", "9007199254740993", "18446744073709551615"],
  ...["18446744073709551616", "4294967296", "2147483648", "1e0", `1${"0".repeat(300)}`],
  ...["null", "true", "[]", "{}", "[[]]", '""', '"x"', "[1,1,1]", '{"a":"b"}', "[".repeat(200)],
  ...["{", "}", "[", "]", ",", ":", '"', "\\", "/**/", "\ufeff", "\0", "\u001b[31m", "\n\t "],
  ...['"__metadata__"', '"__proto__"', '"constructor"', '"toString"', '"logits"', '"token_ids"'],
  ...['"dtype"', '"shape"', '"data_offsets"', '"offsets"', '"F32"', '"BF16"', '"I64"', '"BOOL"'],
  ...['"F8_E4M3"', '"U16"', '"f32"', '"F32 "', '"\\ud800"', '"\\udc00x"', '"\\u0000"', '"\\x"'],
  ...['"\\ud83d\\ude00"', '"😀"', '"expected.loss"', '"expected.\u202ex"', `"${"n".repeat(300)}"`],
  ...['"masked_logits"', '"cu_seqlens"', '"response_mask"', '"objective"', '"old_log_probs"'],
];

const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const some = fc.integer({ min: 1, max: 16 });
/** Half of the places are in the first bytes or tokens, where structure is. */
const place = fc.oneof(
  fraction,
  fraction.map((at) => at ** 4),
);

/** Numbers that a batch should not hold, as their bytes. */
const HOSTILE_NUMBERS: readonly Uint8Array[] = [
  ...[Number.NaN, Infinity, -Infinity, -0, 1e300, 5e-324, -1].map((value) =>
    bytesOf(Float64Array.of(value)),
  ),
  ...[Number.NaN, Infinity, -Infinity, 3e38, 1e-45, -1, 0.5, 2].map((value) =>
    bytesOf(Float32Array.of(value)),
  ),
  ...[-1, 0, 1, 5, 2 ** 31 - 1, -(2 ** 31)].map((value) => bytesOf(Int32Array.of(value))),
  ...[0x7fc0, 0x7f80, 0xff80, 0x7c00, 0x8000].map((bits) => bytesOf(Uint16Array.of(bits))),
  bytesOf(BigInt64Array.of(-1n)),
  bytesOf(BigInt64Array.of(2n ** 40n)),
];

function bytesOf({ buffer }: { readonly buffer: ArrayBufferLike }): Uint8Array {
  return new Uint8Array(buffer);
}

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("over" as const),
      at: fraction,
      put: fc.constantFrom(...HOSTILE_NUMBERS),
    }),
  },
  fc.record({
    kind: fc.constant("bytes" as const),
    at: place,
    drop: fc.oneof(fc.constant(0), fc.nat(16), fc.nat(4096)),
    put: fc.oneof(
      fc.uint8Array({ maxLength: 16 }),
      fc.constantFrom(new Uint8Array(8), new Uint8Array(8).fill(255), new Uint8Array(1024)),
    ),
  }),
  fc.record({ kind: fc.constant("flip" as const), at: place, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant("cut" as const), at: place }),
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("token" as const),
      at: fraction,
      text: fc.oneof(
        fc.constantFrom(...HOSTILE_TEXTS),
        fc.nat(2 ** 20).map(String),
        fc.json({ maxDepth: 3 }),
      ),
    }),
  },
  fc.record({ kind: fc.constant("double" as const), at: fraction, tokens: some }),
  fc.record({ kind: fc.constant("member" as const), at: fraction }),
  fc.record({
    kind: fc.constant("respell" as const),
    at: fraction,
    as: fc.constantFrom("0#", "#.0", "#e0", "-#", "+#", '"#"', " # ", "#0", "[#]", "#,#"),
  }),
  fc.record({ kind: fc.constant("drop" as const), at: fraction, tokens: some }),
  fc.record({ kind: fc.constant("swap" as const), at: fraction, other: fraction }),
  fc.record({
    kind: fc.constant("length" as const),
    length: fc.oneof(
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      fc.bigInt({ min: 0n, max: 4096n }),
      fc.constantFrom(2n ** 53n, 2n ** 53n - 1n, 2n ** 63n, 2n ** 64n - 1n, 100_000_000n),
    ),
  }),
);

/** A few of them; those of the header first, and its length is then put right; `over` is of the data. */
export const mutations: fc.Arbitrary<readonly Mutation[]> = fc.array(mutation, {
  minLength: 1,
  maxLength: 4,
});

/** A spoiled copy of a file. */
export function spoiled(file: Buffer, list: readonly Mutation[]): Buffer {
  const end = 8 + Number(file.readBigUInt64LE(0));
  const tokens = file.toString("utf8", 8, end).match(TOKENS) ?? [];
  let isHeaderChanged = false;
  let length: bigint | undefined;
  for (const one of list) {
    if (one.kind === "length") length = one.length;
    else isHeaderChanged = spoilTokens(tokens, one) || isHeaderChanged;
  }
  const header = isHeaderChanged ? Buffer.from(tokens.join("")) : file.subarray(8, end);
  const size = lengthBytes(length ?? header.length);
  const isOfData = ({ kind }: Mutation) => kind === "over";
  const data = list.filter(isOfData).reduce(spoilBytes, file.subarray(end));
  const others = list.filter((one) => !isOfData(one));
  return others.reduce(spoilBytes, Buffer.concat([size, header, data]));
}

function spoilTokens(tokens: string[], one: Mutation): boolean {
  if (one.kind === "member") return doubleMember(tokens, one.at);
  if (one.kind === "respell") return respell(tokens, one.at, one.as);
  if (!("text" in one || "tokens" in one || "other" in one)) return false;
  const at = Math.floor(one.at * tokens.length);
  if (one.kind === "token") tokens[at] = one.text;
  else if (one.kind === "double") tokens.splice(at, 0, ...tokens.slice(at, at + one.tokens));
  else if (one.kind === "drop") tokens.splice(at, one.tokens);
  else {
    const other = Math.floor(one.other * tokens.length);
    [tokens[at], tokens[other]] = [tokens[other] ?? "", tokens[at] ?? ""];
  }
  return true;
}

/** A name and its value once more, behind themselves. */
function doubleMember(tokens: string[], share: number): boolean {
  const names = tokens.flatMap((token, at) => (token === ":" ? [at - 1] : []));
  const start = names[Math.floor(share * names.length)];
  if (start === undefined) return false;
  let depth = 0;
  let end = start + 2;
  for (; end < tokens.length; end++) {
    const token = tokens[end] as string;
    if ("[{".includes(token)) depth++;
    if (depth === 0 && ",}".includes(token)) break;
    if ("]}".includes(token)) depth--;
  }
  tokens.splice(end, 0, ",", ...tokens.slice(start, end));
  return true;
}

/** The same number, or nearly, in other characters. */
function respell(tokens: string[], share: number, as: string): boolean {
  const numbers = tokens.flatMap((token, at) => (/^\d/.test(token) ? [at] : []));
  const at = numbers[Math.floor(share * numbers.length)];
  if (at === undefined) return false;
  tokens[at] = as.replaceAll("#", tokens[at] as string);
  return true;
}

/** A spoiled copy of any bytes; what is about tokens does nothing. */
export function spoilBytes(bytes: Buffer, one: Mutation): Buffer {
  if (!("at" in one)) return bytes;
  const at = Math.floor(one.at * bytes.length);
  switch (one.kind) {
    case "cut":
      return bytes.subarray(0, at);
    case "bytes":
      return Buffer.concat([bytes.subarray(0, at), one.put, bytes.subarray(at + one.drop)]);
    case "over": {
      // Where numbers are: at a multiple of their size.
      const start = at - (at % one.put.length);
      const copy = Buffer.from(bytes);
      copy.set(one.put.subarray(0, copy.length - start), start);
      return copy;
    }
    case "flip": {
      const copy = Buffer.from(bytes);
      if (at < copy.length) copy[at] = (copy[at] as number) ^ (1 << one.bit);
      return copy;
    }
    default:
      return bytes;
  }
}

/** What a safetensors file holds by the rules of the format, found another way than the reader's: `JSON.parse` and tokens. */

/** A tensor: its header's words, and where its bytes are. */
interface Expected {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

const SIZES: Readonly<Record<string, bigint>> = {
  ...{ F64: 8n, I64: 8n, F32: 4n, I32: 4n, F16: 2n, BF16: 2n, U8: 1n, BOOL: 1n },
};
const LIMIT = 2n ** 53n;

/** All tensors by name in the text's order; undefined where the file breaks a rule. */
export function tensorsOf(file: Buffer): Map<string, Expected> | undefined {
  if (file.length < 8) return undefined;
  const length = file.readBigUInt64LE(0);
  if (length > 100_000_000n || length > BigInt(file.length - 8)) return undefined;
  const dataStart = 8 + Number(length);
  const data = file.subarray(dataStart);
  const text = textOf(file.subarray(8, dataStart));
  if (text === undefined || !text.startsWith("{")) return undefined;
  const names = namesOf(text);
  const json = names && (JSON.parse(text) as Record<string, Record<string, unknown>>);
  if (!json) return undefined;
  const tensors = new Map<string, Expected>();
  const ranges: [number, number][] = [];
  for (const name of names) {
    const entry = json[name];
    if (typeof entry !== "object" || entry === null || Array.isArray(entry)) return undefined;
    if (name === "__metadata__") {
      if (!Object.values(entry).every((value) => typeof value === "string")) return undefined;
      continue;
    }
    const own = (key: string) => (Object.hasOwn(entry, key) ? entry[key] : undefined);
    const [dtype, shape, offsets] = [own("dtype"), own("shape"), own("data_offsets")];
    const size = typeof dtype === "string" && Object.hasOwn(SIZES, dtype) && SIZES[dtype];
    if (!size || !isCounts(shape) || shape.length > 64 || !isCounts(offsets)) return undefined;
    const [begin, end] = offsets;
    if (offsets.length !== 2 || begin === undefined || end === undefined) return undefined;
    let elements = 1n;
    for (const one of shape) {
      elements *= BigInt(one);
      if (elements >= LIMIT) return undefined;
    }
    const bytes = elements * size;
    if (bytes >= LIMIT || BigInt(end) - BigInt(begin) !== bytes) return undefined;
    ranges.push([begin, end]);
    tensors.set(name, { dtype: dtype as string, shape, bytes: data.subarray(begin, end) });
  }
  ranges.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const ends = [0, ...ranges.map(([, end]) => end)];
  const isCovered = ranges.every(([begin], i) => begin === ends[i]) && ends.at(-1) === data.length;
  return isCovered ? tensors : undefined;
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((one) => Number.isSafeInteger(one) && one >= 0);
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    JSON.parse(text);
    return text;
  } catch {
    return undefined;
  }
}

const TOKENS = /"(?:[^"\\]|\\.)*"\s*:|"(?:[^"\\]|\\.)*"|[^\s"{}[\],:]+|[{}[\]]/g;
const FIELDS = ["dtype", "shape", "data_offsets"];

/** Names of the outer object in order; undefined where one is there twice, a count is no plain digits, a name is no text. */
function namesOf(text: string): string[] | undefined {
  const open: { readonly keys: string[]; key: string }[] = [];
  for (const [token] of text.matchAll(TOKENS)) {
    const [outer, entry, list] = open;
    const inner = open.at(-1);
    if (token === "{" || token === "[") open.push({ keys: [], key: "" });
    else if (token === "}" || token === "]") open.pop();
    else if (token.startsWith('"')) {
      const isKey = token.endsWith(":");
      const said = JSON.parse(isKey ? token.slice(0, -1) : token) as string;
      if (/\p{Surrogate}/u.test(said)) return undefined;
      if (!isKey || inner === undefined) continue;
      const isName = open.length === 1 || (open.length === 2 && outer?.key === "__metadata__");
      const isField = open.length === 2 && FIELDS.includes(said);
      if ((isName || isField) && inner.keys.includes(said)) return undefined;
      inner.keys.push(said);
      inner.key = said;
    } else if (open.length === 3 && list !== undefined && outer?.key !== "__metadata__") {
      if (FIELDS.includes(entry?.key ?? "") && !/^\d+$/.test(token)) return undefined;
    }
    if (open.length === 0) return outer?.keys;
  }
  return undefined;
}

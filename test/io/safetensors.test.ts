/** Reading safetensors files: what is in them, any rows of it, and every way to be malformed. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import fc from "fast-check";
import { PapoError } from "../../lib/core/errors.js";
import { SafetensorsFile } from "../../lib/io/safetensors.js";

const folder = mkdtempSync(join(tmpdir(), "papo-read-"));
test.after.always(() => rmSync(folder, { recursive: true }));

let files = 0;
/** A file of these bytes; its path. */
function fileOf(...parts: (Uint8Array | string)[]): string {
  const path = join(folder, `${files++}.safetensors`);
  writeFileSync(path, Buffer.concat(parts.map((part) => Buffer.from(part as string))));
  return path;
}

function lengthOf(bytes: number | bigint): Uint8Array {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes));
  return length;
}

/** A file with this header text (or object) and so many bytes of data, each its position. */
function safetensors(header: unknown, dataBytes = 0): string {
  const text = typeof header === "string" ? header : JSON.stringify(header);
  const data = Uint8Array.from({ length: dataBytes }, (_, i) => i);
  return fileOf(lengthOf(Buffer.byteLength(text)), text, data);
}

const U8 = (begin: number, end: number, shape = [end - begin]) => ({
  dtype: "U8",
  shape,
  data_offsets: [begin, end],
});

test("the header is read at once: tensors in its order, and metadata", async (t) => {
  const header = { __metadata__: { objective: "{}" }, b: U8(0, 6, [2, 3]), a: U8(6, 7, []) };
  const file = await SafetensorsFile.open(safetensors(header, 7));
  t.deepEqual([...file.tensors.keys()], ["b", "a"]);
  t.deepEqual(file.info("b"), { dtype: "U8", shape: [2, 3], offsets: [0, 6] });
  t.is(file.metadata.get("objective"), "{}");
  t.deepEqual(await file.read("b"), Uint8Array.of(0, 1, 2, 3, 4, 5));
  t.deepEqual(await file.read("a"), Uint8Array.of(6));
  await file.close();
});

test("spaces after the header, tensors without elements and no tensors at all are allowed", async (t) => {
  await using padded = await SafetensorsFile.open(
    safetensors(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}    `, 1),
  );
  t.is((await padded.read("a")).length, 1);
  await using hollow = await SafetensorsFile.open(
    safetensors({ a: U8(0, 1), none: { dtype: "F32", shape: [0, 5], data_offsets: [1, 1] } }, 1),
  );
  t.deepEqual(await hollow.read("none"), new Float32Array(0));
  await using empty = await SafetensorsFile.open(safetensors("{}"));
  t.is(empty.tensors.size, 0);
});

test("each dtype comes in the array that carries it", async (t) => {
  const bytes = Uint8Array.from({ length: 64 }, (_, i) => (i * 37) % 251);
  for (const [dtype, size, array] of [
    ["F64", 8, Float64Array],
    ["F32", 4, Float32Array],
    ["F16", 2, Uint16Array],
    ["BF16", 2, Uint16Array],
    ["I64", 8, BigInt64Array],
    ["I32", 4, Int32Array],
    ["U8", 1, Uint8Array],
    ["BOOL", 1, Uint8Array],
  ] as const) {
    // One byte before it: the data need not be aligned.
    const header = JSON.stringify({
      first: U8(0, 1),
      x: { dtype, shape: [64 / size], data_offsets: [1, 65] },
    });
    const path = fileOf(lengthOf(header.length), header, Uint8Array.of(9), bytes);
    await using file = await SafetensorsFile.open(path);
    t.deepEqual(await file.read("x"), new array(bytes.slice().buffer), dtype);
  }
});

test("rows are those of the outer dimensions", async (t) => {
  const header = { cube: U8(0, 12, [2, 3, 2]), line: U8(12, 15), point: U8(15, 16, []) };
  await using file = await SafetensorsFile.open(safetensors(header, 16));
  t.deepEqual(await file.readRows("cube", 1, 3), Uint8Array.of(2, 3, 4, 5, 6, 7));
  t.deepEqual(await file.readRows("cube", 6, 0), new Uint8Array(0));
  t.deepEqual(await file.readRows("line", 1, 2), Uint8Array.of(13, 14));
  t.deepEqual(await file.readRows("point", 0, 1), Uint8Array.of(15));
});

test("rows go into a given array, and nowhere else in it", async (t) => {
  await using file = await SafetensorsFile.open(safetensors({ x: U8(0, 6, [3, 2]) }, 6));
  const into = new Uint8Array(8).fill(99);
  t.is(await file.readRows("x", 1, 2, into), into);
  t.deepEqual([...into], [2, 3, 4, 5, 99, 99, 99, 99]);
  const middle = into.subarray(4, 6);
  await file.readRows("x", 0, 1, middle);
  t.deepEqual([...into], [2, 3, 4, 5, 0, 1, 99, 99]);
});

test("reads that overlap in time do not mix", async (t) => {
  await using file = await SafetensorsFile.open(safetensors({ x: U8(0, 200, [200]) }, 200));
  const reads = Array.from({ length: 100 }, (_, i) => file.readRows("x", 2 * i, 2));
  const all = (await Promise.all(reads)).flatMap((part) => [...(part as Uint8Array)]);
  t.deepEqual(
    all,
    Array.from({ length: 200 }, (_, i) => i),
  );
});

for (const [what, read, code] of [
  ["rows beyond the end", (file) => file.readRows("x", 2, 2), "ERR_RANGE"],
  ["a negative row", (file) => file.readRows("x", -1, 1), "ERR_RANGE"],
  ["half a row", (file) => file.readRows("x", 0, 0.5), "ERR_RANGE"],
  ["an array that is too short", (file) => file.read("x", new Uint8Array(5)), "ERR_SHAPE"],
  ["an array of another class", (file) => file.read("x", new Int8Array(6)), "ERR_DTYPE"],
  ["an unknown name", (file) => file.read("y"), "ERR_FILE"],
] as readonly [string, (file: SafetensorsFile) => Promise<unknown>, string][]) {
  test(`${what}: refused`, async (t) => {
    await using file = await SafetensorsFile.open(safetensors({ x: U8(0, 6, [3, 2]) }, 6));
    await t.throwsAsync(read(file), { name: "PapoError", code });
  });
}

test("an unknown name is answered with the known ones", async (t) => {
  await using file = await SafetensorsFile.open(safetensors({ logits: U8(0, 1) }, 1));
  const error = await t.throwsAsync(file.read("logit"));
  t.regex(error?.message ?? "", /expected a tensor "logit", received "logits"$/);
});

test("a closed file says so, and may be closed again", async (t) => {
  const file = await SafetensorsFile.open(safetensors({ x: U8(0, 1) }, 1));
  await file.close();
  await file.close();
  await t.throwsAsync(file.read("x"), { code: "ERR_DISPOSED" });
});

test("a file that becomes shorter while it is read is an error, not zeros", async (t) => {
  const path = safetensors({ x: U8(0, 50, [5, 10]) }, 50);
  await using file = await SafetensorsFile.open(path);
  truncateSync(path, 8 + JSON.stringify({ x: U8(0, 50, [5, 10]) }).length + 25);
  t.deepEqual((await file.readRows("x", 0, 2)).length, 20);
  const error = await t.throwsAsync(file.readRows("x", 2, 1));
  t.like(error, { code: "ERR_FILE" });
  t.regex(error?.message ?? "", /10 bytes of tensor "x", received 5: the file became shorter/);
});

const offsets = (a: unknown, b: unknown) => ({
  x: { dtype: "U8", shape: [2], data_offsets: [a, b] },
});
for (const [what, path, message] of [
  ["a file that does not exist", join(folder, "none"), /a file that can be read, received ENOENT/],
  ["a folder", folder, /expected a regular file/],
  ["an empty file", fileOf(), /at least 8 bytes, received 0/],
  ["a file of seven bytes", fileOf("1234567"), /at least 8 bytes, received 7/],
  [
    "a header longer than the file",
    fileOf(lengthOf(3), "{}"),
    /at most 2 bytes \(the rest of the file\), received 3/,
  ],
  [
    "a header length of 2^64 − 1",
    fileOf(lengthOf(2n ** 64n - 1n), "{}"),
    /a header of at most 2 bytes/,
  ],
  ["a header of no bytes", fileOf(lengthOf(0)), /begins with \{, received nothing/],
  [
    "a header that begins with a space",
    safetensors(" {}"),
    /begins with \{, received one that begins with " \{\}"/,
  ],
  ["a header that is a list", safetensors("[]"), /begins with \{/],
  ["a byte order mark", safetensors("\ufeff{}"), /begins with \{/],
  [
    "a header that is not UTF-8",
    fileOf(lengthOf(3), Uint8Array.of(0x7b, 0xff, 0x7d)),
    /header in UTF-8/,
  ],
  [
    "a header that is not JSON",
    safetensors('{"x":}'),
    /header in JSON, received text that is not: /,
  ],
  ["JSON that goes on after its end", safetensors("{}{}"), /header in JSON/],
  [
    "a name that occurs twice",
    safetensors(`{"x":${JSON.stringify(U8(0, 1))},"\\u0078":${JSON.stringify(U8(0, 1))}}`, 1),
    /each name once, received "x" twice/,
  ],
  [
    "a field that occurs twice",
    safetensors('{"x":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1),
    /each name once, received "dtype" twice/,
  ],
  [
    "a tensor that is not an object",
    safetensors({ x: [1] }),
    /tensor "x" to be an object, received \[1\]$/,
  ],
  [
    "metadata that is not an object",
    safetensors({ __metadata__: 1 }),
    /__metadata__ to be an object/,
  ],
  [
    "metadata that is not strings",
    safetensors({ __metadata__: { a: 1 } }),
    /__metadata__ "a" to be a string, received 1/,
  ],
  [
    "an unknown dtype",
    safetensors({ x: { ...U8(0, 1), dtype: "F8_E4M3" } }, 1),
    /the dtype of tensor "x" to be one of F64, F32, F16, BF16, I64, I32, U8, BOOL, received "F8_E4M3"/,
  ],
  [
    "a dtype that is a property of every object",
    safetensors({ x: { ...U8(0, 1), dtype: "toString" } }, 1),
    /the dtype of tensor "x"/,
  ],
  [
    "a shape with a fraction",
    safetensors({ x: { ...U8(0, 1), shape: [0.5] } }, 1),
    /the shape of tensor "x" to be non-negative integers, at most 64, received \[0.5\]$/,
  ],
  [
    "a negative size",
    safetensors({ x: { ...U8(0, 1), shape: [-1, -1] } }, 1),
    /the shape of tensor "x"/,
  ],
  [
    "no shape",
    safetensors({ x: { dtype: "U8", data_offsets: [0, 1] } }, 1),
    /the shape of tensor "x" .* received nothing/,
  ],
  [
    "one offset",
    safetensors({ x: { ...U8(0, 1), data_offsets: [0] } }, 1),
    /the data_offsets of tensor "x" to be two byte counts/,
  ],
  [
    "a negative offset",
    safetensors(offsets(-1, 1), 2),
    /the data_offsets of tensor "x" to be two byte counts/,
  ],
  [
    "offsets the wrong way round",
    safetensors(offsets(2, 0), 2),
    /tensor "x" to take 2 bytes \(U8 \[2\]\), received data_offsets \[2, 0\]/,
  ],
  [
    "offsets that do not fit the shape",
    safetensors(offsets(0, 3), 3),
    /tensor "x" to take 2 bytes \(U8 \[2\]\), received data_offsets \[0, 3\]/,
  ],
  [
    "a size beyond 2^53",
    safetensors({ x: { ...U8(0, 1), shape: [2 ** 40, 2 ** 40] } }, 1),
    /tensor "x" to take/,
  ],
  [
    "a tensor beyond the end",
    safetensors(offsets(0, 2), 1),
    /tensor "x" within the 1 bytes of data, received data_offsets \[0, 2\]/,
  ],
  [
    "two tensors over each other",
    safetensors({ x: U8(0, 2), y: U8(1, 3) }, 3),
    /tensor "y" to begin at byte 2 of the data, received 1 \(an overlap\)/,
  ],
  [
    "a hole before the first tensor",
    safetensors({ x: U8(1, 2) }, 2),
    /tensor "x" to begin at byte 0 of the data, received 1 \(a hole before it\)/,
  ],
  [
    "a hole between two tensors",
    safetensors({ x: U8(0, 1), y: U8(2, 3) }, 3),
    /tensor "y" to begin at byte 1/,
  ],
  [
    "bytes after the last tensor",
    safetensors({ x: U8(0, 1) }, 2),
    /1 bytes of data after the header, received 2/,
  ],
  [
    "a name of control characters",
    safetensors({ "\u001b[31m\n": 1 }),
    /tensor "\\u001b\[31m\\n" to be an object/,
  ],
] as const) {
  test(`${what}: refused, with the file and the reason`, async (t) => {
    const error = await t.throwsAsync(SafetensorsFile.open(path), { instanceOf: PapoError });
    t.is(error?.code, "ERR_FILE");
    t.true(error?.message.startsWith(`[safetensors: ${path}] expected `), error?.message);
    t.regex(error?.message ?? "", message);
  });
}

test("a header over the format's 100 MB is refused before it is read", async (t) => {
  const path = fileOf(lengthOf(100_000_001), "{}");
  truncateSync(path, 100_000_100);
  const error = await t.throwsAsync(SafetensorsFile.open(path));
  t.regex(
    error?.message ?? "",
    /at most 100000000 bytes \(the format's limit\), received 100000001/,
  );
});

test("a tensor called __proto__ is a tensor", async (t) => {
  await using file = await SafetensorsFile.open(
    safetensors(`{"__proto__":${JSON.stringify(U8(0, 1))}}`, 1),
  );
  t.deepEqual(await file.read("__proto__"), Uint8Array.of(0));
});

test("whatever the header bytes, a file opens or is refused as a file", async (t) => {
  const valid = JSON.stringify({ __metadata__: { k: "v" }, x: U8(0, 2), y: U8(2, 3, []) });
  const header = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.json().map((text) => Buffer.from(text)),
    // A valid header with one byte changed.
    fc
      .tuple(fc.nat(valid.length - 1), fc.nat(255))
      .map(([at, byte]) => Buffer.from(valid).fill(byte, at, at + 1)),
  );
  let opened = 0;
  await fc.assert(
    fc.asyncProperty(header, fc.integer({ min: -2, max: 2 }), async (bytes, off) => {
      const length = Math.max(0, bytes.length + (Math.abs(off) === 1 ? off : 0));
      const path = fileOf(lengthOf(length), bytes, Uint8Array.of(1, 2, 3));
      try {
        await using file = await SafetensorsFile.open(path);
        for (const name of file.tensors.keys()) await file.read(name);
        opened++;
      } catch (error) {
        t.like(error, { name: "PapoError", code: "ERR_FILE" });
      } finally {
        rmSync(path);
      }
    }),
    { numRuns: 300, examples: [[Buffer.from(valid), 0]] },
  );
  t.true(opened > 0, "some files were valid");
});

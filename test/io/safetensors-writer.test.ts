/** Writing safetensors files: round trips, rows in any order, and a whole file or none. */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import fc from "fast-check";
import { SafetensorsFile } from "../../lib/io/safetensors.js";
import type { SafetensorsDType } from "../../lib/io/safetensors-format.js";
import { SafetensorsWriter } from "../../lib/io/safetensors-writer.js";
import { GOLDEN_NAMES, goldenPath } from "../support/golden.js";

const root = mkdtempSync(join(tmpdir(), "papo-write-"));
test.after.always(() => rmSync(root, { recursive: true }));

let folders = 0;
/** A fresh folder, and a path in it for the file. */
function place(): { folder: string; path: string } {
  const folder = join(root, String(folders++));
  mkdirSync(folder);
  return { folder, path: join(folder, "x.safetensors") };
}

const ARRAYS = {
  F64: Float64Array.of(1.5, Number.NaN, -Infinity, 0),
  F32: Float32Array.of(1.5, -2, 3e38, 0),
  F16: Uint16Array.of(0x3c00, 0x7c00, 0, 1),
  BF16: Uint16Array.of(0x3f80, 0xff80, 0x7fc0, 0),
  I64: BigInt64Array.of(1n, -1n, 2n ** 62n, 0n),
  I32: Int32Array.of(1, -1, 2 ** 31 - 1, 0),
  U8: Uint8Array.of(0, 1, 255, 7),
  BOOL: Uint8Array.of(0, 1, 1, 0),
} as const;

test("every dtype comes back as it was written", async (t) => {
  const { path, folder } = place();
  const entries = Object.keys(ARRAYS).map((dtype) => [
    `tensor ${dtype}`,
    { dtype: dtype as SafetensorsDType, shape: [2, 2] },
  ]);
  const writer = await SafetensorsWriter.create(path, Object.fromEntries(entries), { by: "papo" });
  for (const [dtype, array] of Object.entries(ARRAYS)) await writer.write(`tensor ${dtype}`, array);
  await writer.finish();
  await using file = await SafetensorsFile.open(path);
  t.is(file.metadata.get("by"), "papo");
  for (const [dtype, array] of Object.entries(ARRAYS)) {
    t.deepEqual<unknown, unknown>(await file.read(`tensor ${dtype}`), array);
    t.deepEqual(file.info(`tensor ${dtype}`).shape, [2, 2]);
  }
  t.deepEqual(readdirSync(folder), ["x.safetensors"]);
});

test("golden files survive being read and written", async (t) => {
  const { path } = place();
  for (const name of GOLDEN_NAMES.filter((name) => /tiny-plain.*(bf16|f16)|packed/.test(name))) {
    await using source = await SafetensorsFile.open(goldenPath(name));
    const metadata = Object.fromEntries(source.metadata);
    const writer = await SafetensorsWriter.create(
      path,
      Object.fromEntries(source.tensors),
      metadata,
    );
    for (const key of source.tensors.keys()) await writer.write(key, await source.read(key));
    await writer.finish();
    await using copy = await SafetensorsFile.open(path);
    t.deepEqual(new Map([...copy.metadata].sort()), new Map([...source.metadata].sort()));
    t.is(copy.tensors.size, source.tensors.size);
    for (const key of source.tensors.keys()) {
      t.deepEqual(await copy.read(key), await source.read(key), `${name} ${key}`);
    }
  }
});

test("rows may come in any order and in any pieces", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 12 }),
      fc.array(fc.tuple(fc.nat(11), fc.integer({ min: 1, max: 5 })), { maxLength: 8 }),
      async (rows, pieces) => {
        const { path, folder } = place();
        const whole = Float32Array.from({ length: rows * 3 }, (_, i) => i + 0.5);
        const shape = [rows, 3];
        const writer = await SafetensorsWriter.create(path, { x: { dtype: "F32", shape } });
        const written = new Set<number>();
        for (const [start, count] of pieces) {
          const from = start % rows;
          const to = Math.min(rows, from + count);
          await writer.writeRows("x", from, whole.subarray(from * 3, to * 3));
          for (let row = from; row < to; row++) written.add(row);
        }
        if (written.size < rows) {
          await t.throwsAsync(writer.finish(), { code: "ERR_ARGUMENT" });
          t.false(existsSync(path));
          for (let row = rows - 1; row >= 0; row--) {
            if (!written.has(row)) {
              await writer.writeRows("x", row, whole.subarray(row * 3, row * 3 + 3));
            }
          }
        }
        await writer.finish();
        await using file = await SafetensorsFile.open(path);
        t.deepEqual(await file.read("x"), whole);
        rmSync(folder, { recursive: true });
      },
    ),
    { numRuns: 40 },
  );
});

test("a missing row is named", async (t) => {
  const { path } = place();
  await using writer = await SafetensorsWriter.create(path, { x: { dtype: "U8", shape: [4, 1] } });
  await writer.writeRows("x", 0, Uint8Array.of(1, 2));
  await writer.writeRows("x", 3, Uint8Array.of(4));
  const error = await t.throwsAsync(writer.finish());
  t.is(
    error?.message,
    '[safetensors] expected every row of tensor "x" to be written, received none for row 2 of 4',
  );
});

test("whatever was written in whatever order, the first row that is missing is named", async (t) => {
  const ROWS = 24;
  const piece = fc.tuple(fc.nat(ROWS - 1), fc.nat(5));
  const pieces = fc.asyncProperty(fc.array(piece, { maxLength: 30 }), async (list) => {
    const { path } = place();
    const entries = { x: { dtype: "U8", shape: [ROWS] } } as const;
    await using writer = await SafetensorsWriter.create(path, entries);
    const isThere = new Array<boolean>(ROWS).fill(false);
    for (const [start, length] of list) {
      const rows = new Uint8Array(Math.min(length, ROWS - start));
      await writer.writeRows("x", start, rows);
      isThere.fill(true, start, start + rows.length);
    }
    const missing = isThere.indexOf(false);
    const message = await writer.finish().then(
      () => "none",
      (error: Error) => /row \d+/.exec(error.message)?.[0],
    );
    if (message !== (missing < 0 ? "none" : `row ${missing}`)) throw new Error(`${message}`);
  });
  await t.notThrowsAsync(async () => fc.assert(pieces, { numRuns: 40, seed: 20261121 }));
});

test("the same tensors and metadata make the same bytes, in whatever order they are named", async (t) => {
  const entries = {
    ids: { dtype: "I32", shape: [2] },
    mask: { dtype: "U8", shape: [3] },
    wide: { dtype: "F64", shape: [1] },
  } as const;
  const write = async (reverse: boolean): Promise<Buffer> => {
    const { path } = place();
    const turn = <T>(list: T[]): T[] => (reverse ? list.reverse() : list);
    const writer = await SafetensorsWriter.create(
      path,
      Object.fromEntries(turn(Object.entries(entries))),
      Object.fromEntries(turn(Object.entries({ b: "2", a: "1" }))),
    );
    await writer.write("ids", Int32Array.of(1, 2));
    await writer.write("mask", Uint8Array.of(1, 0, 1));
    await writer.write("wide", Float64Array.of(0.1));
    await writer.finish();
    return readFileSync(path);
  };
  const [first, second] = [await write(false), await write(true)];
  t.deepEqual(first, second);
  t.is(Number(first.readBigUInt64LE(0)) % 8, 0, "data begins at a multiple of 8");
  const header = first.toString("utf8", 8, 8 + Number(first.readBigUInt64LE(0)));
  t.regex(header, /^\{"__metadata__":\{"a":"1","b":"2"\},"wide":.*"ids":.*"mask":/);
});

test("scalars, empty tensors and empty files can be written", async (t) => {
  const { path } = place();
  const writer = await SafetensorsWriter.create(path, {
    loss: { dtype: "F64", shape: [] },
    none: { dtype: "F32", shape: [0, 7] },
  });
  await writer.write("loss", Float64Array.of(0.25));
  await writer.finish();
  await using file = await SafetensorsFile.open(path);
  t.deepEqual(await file.read("loss"), Float64Array.of(0.25));
  t.is((await file.read("none")).length, 0);
  const bare = await SafetensorsWriter.create(path, {});
  await bare.finish();
  await using empty = await SafetensorsFile.open(path);
  t.is(empty.tensors.size, 0);
});

// A whole file or none.

test("the target is as it was until the file is finished", async (t) => {
  const { path, folder } = place();
  writeFileSync(path, "before");
  const writer = await SafetensorsWriter.create(path, { x: { dtype: "U8", shape: [1] } });
  await writer.write("x", Uint8Array.of(5));
  t.is(readFileSync(path, "utf8"), "before");
  await writer.finish();
  t.is(readFileSync(path).at(-1), 5);
  t.deepEqual(readdirSync(folder), ["x.safetensors"]);
});

test("an abandoned writer leaves nothing, and the target as it was", async (t) => {
  const { path, folder } = place();
  const writer = await SafetensorsWriter.create(path, { x: { dtype: "U8", shape: [1] } });
  t.is(readdirSync(folder).length, 1, "the temporary file lies beside the target");
  await writer.abandon();
  await writer.abandon();
  t.deepEqual(readdirSync(folder), []);
  await t.throwsAsync(writer.write("x", Uint8Array.of(1)), { code: "ERR_DISPOSED" });
  await t.throwsAsync(writer.finish(), { code: "ERR_DISPOSED" });
});

test("leaving the scope abandons what is not finished", async (t) => {
  const { path, folder } = place();
  const failing = async (): Promise<void> => {
    await using _writer = await SafetensorsWriter.create(path, { x: { dtype: "U8", shape: [1] } });
    throw new Error("on the way");
  };
  await t.throwsAsync(failing, { message: "on the way" });
  t.deepEqual(readdirSync(folder), []);
});

test("a process that ends by an error leaves nothing", (t) => {
  const { path, folder } = place();
  const module = new URL("../../lib/io/safetensors-writer.ts", import.meta.url).href;
  const script = `
    import { SafetensorsWriter } from ${JSON.stringify(module)};
    import { readdirSync } from "node:fs";
    await SafetensorsWriter.create(${JSON.stringify(path)}, { x: { dtype: "U8", shape: [1] } });
    console.log(readdirSync(${JSON.stringify(folder)}).length);
    throw new Error("on the way");
  `;
  const command = ["--import=tsx", "--input-type=module", "--eval", script];
  const error = t.throws(() =>
    execFileSync(process.execPath, command, { encoding: "utf8", stdio: "pipe" }),
  );
  t.like(error, { stdout: "1\n" });
  t.regex((error as unknown as { stderr: string }).stderr, /on the way/);
  t.deepEqual(readdirSync(folder), []);
});

test("a link is written through", async (t) => {
  const { path, folder } = place();
  const real = join(folder, "real.safetensors");
  writeFileSync(real, "before");
  symlinkSync(real, path);
  const writer = await SafetensorsWriter.create(path, { x: { dtype: "U8", shape: [1] } });
  await writer.write("x", Uint8Array.of(5));
  await writer.finish();
  t.is(readFileSync(real).at(-1), 5);
  t.deepEqual(readdirSync(folder).sort(), ["real.safetensors", "x.safetensors"]);
});

test("a target that cannot be is refused at the start", async (t) => {
  const { folder } = place();
  const nowhere = join(folder, "no", "x.safetensors");
  const missing = await t.throwsAsync(SafetensorsWriter.create(nowhere, {}), { code: "ERR_FILE" });
  t.regex(missing?.message ?? "", /a file that can be written, received ENOENT/);
  await t.throwsAsync(SafetensorsWriter.create(folder, {}), { code: "ERR_FILE" });
  t.deepEqual(readdirSync(folder), []);
});

const WRITER = { x: { dtype: "F32", shape: [2, 3] } } as const;
for (const [what, write, code] of [
  ["an unknown name", (w) => w.write("y", new Float32Array(6)), "ERR_ARGUMENT"],
  ["another class", (w) => w.write("x", new Float64Array(6)), "ERR_DTYPE"],
  ["too few elements", (w) => w.write("x", new Float32Array(3)), "ERR_SHAPE"],
  ["part of a row", (w) => w.writeRows("x", 0, new Float32Array(4)), "ERR_SHAPE"],
  ["rows beyond the end", (w) => w.writeRows("x", 1, new Float32Array(6)), "ERR_RANGE"],
  ["a negative row", (w) => w.writeRows("x", -1, new Float32Array(3)), "ERR_RANGE"],
] as readonly [string, (writer: SafetensorsWriter) => Promise<void>, string][]) {
  test(`${what} cannot be written`, async (t) => {
    await using writer = await SafetensorsWriter.create(place().path, WRITER);
    await t.throwsAsync(write(writer), { name: "PapoError", code });
  });
}

for (const [what, entries, code] of [
  ["an unknown dtype", { x: { dtype: "F8", shape: [1] } }, "ERR_DTYPE"],
  ["a negative size", { x: { dtype: "F32", shape: [-1] } }, "ERR_SHAPE"],
  ["a size beyond 2^53", { x: { dtype: "F32", shape: [2 ** 52, 2] } }, "ERR_SHAPE"],
  ["a tensor called __metadata__", { __metadata__: { dtype: "F32", shape: [1] } }, "ERR_ARGUMENT"],
] as const) {
  test(`${what} is refused before anything is written`, async (t) => {
    const { path, folder } = place();
    await t.throwsAsync(SafetensorsWriter.create(path, entries as never), { code });
    t.deepEqual(readdirSync(folder), []);
  });
}

test("an array is the bytes that it has, whatever its class says of itself", async (t) => {
  class Forged extends Uint8Array {
    override get byteOffset(): number {
      return 0;
    }
    override get byteLength(): number {
      return 4;
    }
  }
  const { path } = place();
  const writer = await SafetensorsWriter.create(path, { x: { dtype: "U8", shape: [2] } });
  await writer.write("x", new Forged(Uint8Array.of(1, 2, 3, 4).buffer, 1, 2));
  const gone = new Uint8Array(2);
  structuredClone(gone, { transfer: [gone.buffer] });
  await t.throwsAsync(writer.writeRows("x", 0, gone), { code: "ERR_DISPOSED" });
  await writer.finish();
  const file = await SafetensorsFile.open(path);
  t.deepEqual(await file.read("x"), Uint8Array.of(2, 3));
  await file.close();
});

test("of many tensors a message names the first", async (t) => {
  const names = Array.from({ length: 1000 }, (_, i) => `x${i + 100}`);
  const entries = Object.fromEntries(names.map((name) => [name, { dtype: "U8", shape: [0] }]));
  await using writer = await SafetensorsWriter.create(place().path, entries as never);
  await t.throwsAsync(writer.write("y", new Uint8Array(0)), {
    code: "ERR_ARGUMENT",
    message: /one of the tensors ("x1\d+", ){12}…, received "y"$/,
  });
});

test("what no reader would take is refused before there is a file", async (t) => {
  const { path, folder } = place();
  const refused = (entries: unknown, metadata: unknown, message: string) =>
    t.throwsAsync(SafetensorsWriter.create(path, entries as never, metadata as never), {
      code: "ERR_ARGUMENT",
      message: `[safetensors] expected ${message}`,
    });
  // An object of very many names that takes no time to make.
  const names = new String("a".repeat(2 ** 20 + 1));
  await refused(names, {}, "at most 1048576 tensors, received 1048577");
  const words = { text: " ".repeat(100_000_000) };
  await refused({}, words, "a header of at most 100000000 bytes, received 100000032");
  t.deepEqual(readdirSync(folder), []);
});

test("a file without tensors says so where one is asked for", async (t) => {
  const { path } = place();
  await (await SafetensorsWriter.create(path, {})).finish();
  await using file = await SafetensorsFile.open(path);
  t.throws(() => file.info("x"), {
    code: "ERR_FILE",
    message: /a tensor "x", received no tensors$/,
  });
});

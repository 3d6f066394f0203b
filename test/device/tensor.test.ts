/** Tensors on a device: made, copied, cut, shared with others, and the end of their life. */
import anyTest from "ava";
import {
  cuda,
  type DType,
  detach,
  fromDevicePointer,
  pinned,
  Tensor,
  tensor,
  tokenStats,
  zeros,
} from "../../lib/index.js";
import { fillZero, gradientTensor } from "../../lib/tensor/gradient.js";
import { valuesOf } from "../objective/batches.js";
import { onSimulation, onTwo } from "./conditions.js";
import { callsOf, collect, DEVICE, failure, freeBytes, OTHER, whileFailing } from "./devices.js";

/** One after the other: they look at the memory of the device, and at calls of the addon. */
const test = anyTest.serial;
/** Memory to the byte; a real GPU hands it out in large pages, and to others. */

const MiB = 2 ** 20;

/** 0, 1, 2, … as a tensor on the device. */
function counted(shape: readonly number[], rowPitch?: number) {
  const data = Float32Array.from({ length: 64 }, (_, i) => i);
  return new Tensor<"float32", 2>("test", data, { shape, rowPitch, device: DEVICE });
}

const ALL = [
  [Float32Array.of(1.5, -2, 3), "float32"],
  [Float64Array.of(1.5, -2, 3), "float64"],
  [Int32Array.of(1, -2, 3), "int32"],
  [Uint16Array.of(1, 2, 0xffff), "float16"],
  [Uint16Array.of(1, 2, 0xffff), "bfloat16"],
] as const;

test("a tensor of every dtype goes to a device and back, unchanged", async (t) => {
  for (const [data, dtype] of ALL) {
    const host = new Tensor("test", data, { shape: [3], dtype });
    for (const there of [host.to("cuda"), await host.toAsync(DEVICE)]) {
      t.is(there.device, DEVICE);
      t.is(there.dtype, dtype as DType);
      t.deepEqual(there.shape, [3]);
      for (const back of [there.to("cpu"), await there.toAsync("cpu")]) {
        t.deepEqual(new Uint8Array(back.data.buffer), new Uint8Array(data.buffer));
      }
    }
  }
});

test("a tensor that is there already is itself", async (t) => {
  const there = zeros([2, 3], { device: "cuda" });
  t.is(there.to("cuda"), there);
  t.is(await there.toAsync("cuda:0"), there);
  const host = zeros([2]);
  t.is(host.to("cpu"), host);
});

test("a copy has no gaps, no history and no gradient of its own", (t) => {
  const there = counted([3, 4], 6);
  t.is(there.rowPitch, 6);
  there.requiresGrad = true;
  const back = there.to("cpu");
  t.is(back.rowPitch, 4);
  t.false(back.requiresGrad);
  t.deepEqual(back.data, Float32Array.of(0, 1, 2, 3, 6, 7, 8, 9, 12, 13, 14, 15));
});

test("a copy goes to memory that is given, and leaves its gaps alone", async (t) => {
  const there = counted([3, 4]);
  const data = new Float32Array(18).fill(-1);
  const out = tensor(data, { shape: [3, 4], rowPitch: 6 });
  t.is<unknown, unknown>(there.to("cpu", { out }), out);
  const expected = [0, 1, 2, 3, -1, -1, 4, 5, 6, 7, -1, -1, 8, 9, 10, 11, -1, -1];
  t.deepEqual([...data], expected);
  const again = zeros([3, 4], { rowPitch: 5, device: DEVICE });
  t.is<unknown, unknown>(await out.toAsync(DEVICE, { out: again }), again);
  t.deepEqual(valuesOf(again), valuesOf(there));
  const here = zeros([3, 4]);
  out.to("cpu", { out: here });
  t.deepEqual(valuesOf(here), valuesOf(there), "from host to host too");
  const beside = zeros([3, 4], { device: DEVICE });
  there.to(DEVICE, { out: beside });
  t.deepEqual(valuesOf(beside), valuesOf(there), "from device to device too");
});

test("memory that does not fit a copy is refused", async (t) => {
  const there = counted([3, 4]);
  const refused = async (out: unknown, code: string, sentence: string) =>
    t.deepEqual(await failure(() => there.to("cpu", { out: out as Tensor })), [
      code,
      `[Tensor.to] ${sentence}`,
    ]);
  await refused({}, "ERR_ARGUMENT", "expected out to be a Tensor, received an object");
  await refused(zeros([4, 3]), "ERR_SHAPE", "expected out [3, 4], received [4, 3]");
  const ints = zeros([3, 4], { dtype: "int32" });
  await refused(ints, "ERR_DTYPE", "expected out to hold float32, received int32");
  const wrong = "expected out on cpu, received one on cuda:0";
  await refused(counted([3, 4]), "ERR_DEVICE_MISMATCH", wrong);
  const part = counted([6, 4]);
  const overlapping = () => part.sliceRows(0, 4).to(DEVICE, { out: part.sliceRows(1, 5) as never });
  t.deepEqual(await failure(overlapping), [
    "ERR_BUFFER",
    "[Tensor.to] expected out in memory of its own, received memory that overlaps",
  ]);
});

test("tensors are made on a device of arrays, of numbers and of zeros", (t) => {
  const numbers = tensor([1, 2, 3, 4], { shape: [2, 2], device: "cuda", dtype: "bfloat16" });
  t.is(numbers.device, DEVICE);
  t.deepEqual(valuesOf(numbers), Float64Array.of(1, 2, 3, 4));
  const data = Float32Array.of(1, 2);
  const copy = tensor(data, { device: DEVICE });
  data.fill(9);
  t.deepEqual(valuesOf(copy), Float64Array.of(1, 2), "a copy, not a view");
  t.deepEqual(valuesOf(zeros([2, 3], { rowPitch: 5, device: DEVICE })), new Float64Array(6));
  t.is(zeros([0, 5], { device: DEVICE }).size, 0);
  t.is(tensor(Float64Array.of(4), { shape: [], device: DEVICE }).to("cpu").item(), 4);
});

test("JavaScript does not see a device's memory, and is told what to do", async (t) => {
  const there = zeros([1], { device: DEVICE });
  const sentence = (where: string) => [
    "ERR_DEVICE_MISMATCH",
    `[${where}] expected the tensor in host memory (copy it there with .to("cpu")), received a tensor on cuda:0`,
  ];
  t.deepEqual(await failure(() => there.data), sentence("Tensor.data"));
  t.deepEqual(await failure(() => there.item()), sentence("Tensor.item"));
  t.deepEqual(await failure(() => zeros([1]).devicePointer), [
    "ERR_DEVICE_MISMATCH",
    "[Tensor.devicePointer] expected the tensor on a CUDA device, received one on cpu",
  ]);
});

test("rows are cut out of a tensor without a copy", (t) => {
  const there = counted([2, 3, 4], 5);
  const slice = there.sliceRows(2, 5);
  t.deepEqual(slice.shape, [3, 4]);
  t.deepEqual(valuesOf(slice), Float64Array.from([10, 11, 12, 13, 15, 16, 17, 18, 20, 21, 22, 23]));
  t.is(slice.devicePointer, there.devicePointer + 40n);
  fillZero("verb", "slice", slice);
  const expected = [0, 1, 2, 3, 5, 6, 7, 8, ...new Array(12).fill(0), 25, 26, 27, 28];
  t.deepEqual(valuesOf(there), Float64Array.from(expected));
  t.deepEqual(valuesOf(slice.sliceRows(1, 2)), new Float64Array(4));
  t.is(there.sliceRows(3, 3).size, 0);
  const vector = tensor([1, 2, 3], { device: DEVICE });
  t.deepEqual(valuesOf(vector.sliceRows(1)), Float64Array.of(2, 3));
});

onSimulation(
  "a device's memory ends with the tensor that made it, and its aliases with it",
  async (t) => {
    await collect();
    const before = freeBytes();
    const there = zeros([256, 1024], { device: DEVICE });
    t.is(freeBytes(), before - MiB);
    const [alias, slice] = [detach(there), there.sliceRows(1, 2)];
    alias.dispose();
    t.true(alias.disposed);
    t.false(there.disposed);
    t.is(freeBytes(), before - MiB, "an alias frees nothing");
    there.dispose();
    there.dispose();
    t.true(there.disposed);
    t.true(slice.disposed);
    t.is(freeBytes(), before);
    const gone = "expected the tensor to be alive, received a disposed tensor";
    for (const [where, act] of [
      ["Tensor.to", () => there.to("cpu")],
      ["Tensor.devicePointer", () => slice.devicePointer],
      ["Tensor.alias", () => slice.alias()],
      ["Tensor.sliceRows", () => there.sliceRows(0)],
    ] as const) {
      t.deepEqual(await failure(act), ["ERR_DISPOSED", `[${where}] ${gone}`]);
    }
    t.deepEqual(await failure(() => tokenStats({ logits: slice, tokenIds: [0] })), [
      "ERR_DISPOSED",
      "[tokenStats] expected logits to be alive, received a disposed tensor",
    ]);
  },
);

onSimulation("a block that ends disposes of its tensor", (t) => {
  const before = freeBytes();
  {
    using inner = zeros([1024], { device: DEVICE });
    t.is(inner.device, DEVICE);
    t.true(freeBytes() < before);
  }
  t.is(freeBytes(), before);
});

onSimulation("memory that nobody disposed of is freed once it is collected", async (t) => {
  await collect();
  const before = freeBytes();
  let last: Tensor | undefined;
  (() => {
    for (let i = 0; i < 8; i++) last = zeros([256, 1024], { device: DEVICE }).sliceRows(0, 1);
  })();
  t.true(freeBytes() <= before - MiB);
  await collect();
  t.is(freeBytes(), before - MiB, "the slice that is left keeps its tensor's memory");
  t.deepEqual(valuesOf(last), new Float64Array(1024));
  last = undefined;
  await collect();
  t.is(freeBytes(), before);
});

onSimulation("memory of a copy that still runs is kept until it is done", async (t) => {
  await collect();
  const before = freeBytes();
  const there = counted([4, 4]);
  const back = there.toAsync("cpu");
  there.dispose();
  t.true(there.disposed);
  t.deepEqual(
    valuesOf(await back),
    Float64Array.from({ length: 16 }, (_, i) => i),
  );
  await collect();
  t.is(freeBytes(), before);
});

onSimulation(
  "an allocation that does not fit names sizes, and leaves everything as it was",
  async (t) => {
    await collect();
    const { freeBytes: free, totalBytes } = cuda.memory();
    t.true(free > 0 && free <= totalBytes);
    // Two thirds of what is free.
    const elements = Math.ceil(free / 6);
    {
      using most = zeros([elements], { device: DEVICE });
      for (const act of [
        () => zeros([totalBytes / 4 + 256], { device: DEVICE }),
        () => zeros([2 ** 50, 4], { device: DEVICE }),
        () => tensor(new Float32Array(elements), { device: DEVICE }),
        () => zeros([elements]).to(DEVICE),
        () => gradientTensor("papoLoss", "grad", most),
      ]) {
        const [code, message] = (await failure(act)) ?? [];
        t.is(code, "ERR_OUT_OF_MEMORY");
        t.regex(
          message as string,
          /^\[[\w.]+\] expected [\d.e+]+ bytes.* of memory on cuda:0, received /,
        );
      }
    }
    t.is(freeBytes(), free);
    t.deepEqual(valuesOf(zeros([3], { device: DEVICE })), new Float64Array(3));
  },
);

onSimulation("a copy or a clearing that fails leaves no memory behind", async (t) => {
  await collect();
  const there = counted([4, 4]);
  const host = zeros([4, 4]);
  const before = freeBytes();
  for (const [name, where, act] of [
    ["copy", "Tensor.to", () => host.to(DEVICE)],
    ["copyAsync", "Tensor.toAsync", () => host.toAsync(DEVICE)],
    ["copy", "tensor", () => tensor([1, 2], { device: DEVICE })],
    ["clear", "zeros", () => zeros([4, 4], { device: DEVICE })],
    ["clear", "backward", () => gradientTensor("backward", "grad", there)],
  ] as const) {
    const sentence = `[${where}] the device fell off the bus`;
    t.deepEqual(await failure(() => whileFailing(name, act)), ["ERR_CUDA", sentence]);
    t.is(freeBytes(), before, where);
  }
});

onSimulation(
  "a foreign pointer is a tensor without a copy, whose owner lives as long as it",
  async (t) => {
    const theirs = counted([3, 4]);
    await collect();
    const before = freeBytes();
    let owner: object | undefined = { theirs };
    const reference = new WeakRef(owner);
    const options = { pointer: theirs.devicePointer, shape: [3, 4], dtype: "float32" } as const;
    const ours = fromDevicePointer({ ...options, owner });
    owner = undefined;
    t.is(freeBytes(), before);
    t.deepEqual(valuesOf(ours), valuesOf(theirs));
    fillZero("verb", "ours", ours);
    t.deepEqual(valuesOf(theirs), new Float64Array(12));
    const slice = ours.sliceRows(1);
    await collect();
    t.not(reference.deref(), undefined);
    t.is(slice.devicePointer, theirs.devicePointer + 16n);
    ours.dispose();
    await collect();
    t.is(reference.deref(), undefined, "let go of at once");
    t.true(slice.disposed);
    t.false(theirs.disposed);
    t.is(freeBytes(), before);
  },
);

test("a foreign pointer that cannot be one is refused", async (t) => {
  const { devicePointer: pointer } = zeros([4], { device: DEVICE });
  const good = { pointer, shape: [2], dtype: "float32" } as const;
  const refused = async (options: object, code: string, message: RegExp) => {
    const [received, sentence] = (await failure(() =>
      fromDevicePointer({ ...good, ...options } as never),
    )) as [string, string];
    t.is(received, code);
    t.regex(sentence, message);
  };
  await refused({ pointer: Number(pointer) }, "ERR_ARGUMENT", /pointer to be a bigint/);
  await refused({ pointer: -1n }, "ERR_RANGE", /pointer to be an address of 64 bits, received -1n/);
  const odd = /pointer to be a multiple of 4 bytes, the size of float32, received \d+n/;
  await refused({ pointer: pointer + 2n }, "ERR_RANGE", odd);
  await refused(
    { pointer: 0n },
    "ERR_ARGUMENT",
    /^\[fromDevicePointer\] expected a pointer to memory of/,
  );
  await refused({ dtype: "float8" }, "ERR_DTYPE", /dtype to be one of/);
  await refused({ device: "cpu" }, "ERR_ARGUMENT", /device to be "cuda" or "cuda:INDEX"/);
  await refused({ device: "cuda:99" }, "ERR_DEVICE_UNAVAILABLE", /cuda:99 is not available: there/);
  await refused({ shape: [2, 2], rowPitch: 1 }, "ERR_SHAPE", /rowPitch/);
  await refused({ requiresGrad: 1 }, "ERR_ARGUMENT", /requiresGrad to be a boolean/);
});

test("pinned memory is a host tensor of zeros that copies may use", async (t) => {
  const host = pinned([3, 4], { dtype: "bfloat16", rowPitch: 6 });
  t.is(host.device, "cpu");
  t.deepEqual([host.dtype, host.rowPitch], ["bfloat16", 6]);
  t.deepEqual(host.data, new Uint16Array(18));
  host.data.set([0x3f80], 6);
  const there = await host.toAsync(DEVICE);
  host.data.fill(0x7fff);
  await there.toAsync("cpu", { out: host });
  t.deepEqual(valuesOf(host), Float64Array.from([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]));
  t.is(host.data[4], 0x7fff, "gaps are not written");
  t.is(pinned([0, 4]).size, 0);
});

test("the overlap of two tensors on a device is found in their addresses", (t) => {
  const there = counted([6, 4]);
  const refused = (out: Tensor) =>
    t.throws(() => gradientTensor("f", "gradLogits", there.sliceRows(0, 3), { out }), {
      code: "ERR_BUFFER",
      message: /gradLogits in memory of its own, received memory that overlaps/,
    });
  refused(there.sliceRows(0, 3));
  refused(there.sliceRows(2, 5));
  const options = { shape: [3, 4], dtype: "float32", owner: there } as const;
  refused(fromDevicePointer({ ...options, pointer: there.devicePointer + 16n }));
  const apart = there.sliceRows(3, 6);
  t.is<unknown, unknown>(gradientTensor("f", "g", there.sliceRows(0, 3), { out: apart }), apart);
  const same = there.sliceRows(0, 3);
  t.is<unknown, unknown>(
    gradientTensor("f", "g", there.sliceRows(0, 3), { out: same, inPlace: true }),
    same,
  );
});

test("a gradient that an op writes completely is not zeroed first, any other is", async (t) => {
  const logits = counted([3, 4]);
  const made = (overwritten: boolean) =>
    callsOf("clear", () => gradientTensor("f", "g", logits, { overwritten }));
  t.is((await made(true)).length, 0);
  t.is((await made(false)).length, 1);
  const gradient = gradientTensor("f", "g", logits);
  t.is(gradient.device, DEVICE);
  t.deepEqual(valuesOf(gradient), new Float64Array(12));
});

onTwo("tensors go from one device to another", async (t) => {
  const here = counted([3, 4], 6);
  const there = here.to(OTHER);
  t.is(there.device, OTHER);
  t.deepEqual(valuesOf(there), valuesOf(here));
  t.deepEqual(valuesOf(await there.toAsync(DEVICE)), valuesOf(here));
  const out = zeros([3, 4], { device: OTHER });
  t.is<unknown, unknown>(here.to(OTHER, { out }), out);
  t.deepEqual(valuesOf(out), valuesOf(here));
});

onSimulation("memory is counted for each device", (t) => {
  const before = [freeBytes(DEVICE), freeBytes(OTHER)];
  using there = zeros([1024], { device: OTHER });
  t.is(there.device, OTHER);
  t.is(freeBytes(DEVICE), before[0] as number);
  t.true(freeBytes(OTHER) < (before[1] as number));
});

test("a device that is not there is an error that says which are", async (t) => {
  const names = cuda.devices().map(({ device }) => device);
  const reason = `there ${names.length === 1 ? "is" : "are"} only ${names.join(", ")}`;
  for (const [where, act] of [
    ["zeros", () => zeros([1], { device: "cuda:9" })],
    ["tensor", () => tensor([1], { device: "cuda:9" })],
    ["Tensor.to", () => zeros([1]).to("cuda:9")],
    ["cuda.memory", () => cuda.memory("cuda:9")],
  ] as const) {
    const sentence = `[${where}] cuda:9 is not available: ${reason}`;
    t.deepEqual(await failure(act), ["ERR_DEVICE_UNAVAILABLE", sentence]);
  }
});

test("devices say what they are", (t) => {
  const [first] = cuda.devices();
  t.is(first?.device, DEVICE);
  t.regex(first?.computeCapability as string, /^\d+\.\d$/);
  for (const key of ["multiprocessors", "memoryBytes", "l2Bytes"] as const) {
    t.true((first?.[key] as number) > 0, key);
  }
});

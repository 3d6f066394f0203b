/** The doors to devices on a machine that has none, and with arguments that are none: a sentence, never a crash. */
import test from "ava";
import fc from "fast-check";
import type { Binding, DeviceBinding } from "../../lib/addon/binding.js";
import { binding } from "../../lib/addon/load.js";
import { type NativeTensor, runNative } from "./native-call.js";

type Verb = (...args: unknown[]) => unknown;

const addon = binding() as Binding & Record<keyof DeviceBinding, Verb>;
const { devices, unavailable } = addon.info().cuda;
const bytes = new Uint8Array(16);
const area = { data: bytes, byteOffset: 0, pitchBytes: 16 };

/** What each verb that takes a device is given beside it. */
const ON_A_DEVICE: readonly (readonly [keyof DeviceBinding, ...unknown[]])[] = [
  ["allocate", 16],
  ["wrapPointer", 4096n, 16, {}],
  ["memoryInfo"],
  ["createStream"],
  ["wrapStream", 0n, {}],
  ["synchronize"],
  ["synchronizeAsync"],
  ["createEvent"],
];

for (const [verb, ...args] of ON_A_DEVICE) {
  test(`${verb} says why a device is not there`, (t) => {
    const reason = devices.length === 0 ? unavailable : "";
    const error = t.throws(() => addon[verb]("cuda:999", ...args), {
      code: "ERR_DEVICE_UNAVAILABLE",
    });
    t.true(error?.message.startsWith(`[${verb}] cuda:999 is not available: `), error?.message);
    t.true(error?.message.endsWith(reason), error?.message);
  });

  test(`${verb} takes nothing but the name of a CUDA device`, (t) => {
    for (const name of ["cpu", "cuda", "cuda:", "cuda:-1", "cuda:1.5", "cuda:1000", "CUDA:0", ""]) {
      t.throws(() => addon[verb](name, ...args), {
        code: "ERR_ARGUMENT",
        message: `[${verb}] expected device to be a CUDA device such as "cuda:0", received "${name}"`,
      });
    }
    t.throws(() => addon[verb](), { code: "ERR_ARGUMENT", message: /received undefined$/ });
  });
}

test("what is said of CUDA holds together", (t) => {
  const { built, runtimeVersion, driverVersion } = addon.info().cuda;
  t.is(devices.length === 0, unavailable.length > 0);
  t.is(built, runtimeVersion !== "");
  t.regex(`${runtimeVersion} ${driverVersion}`, /^(\d+\.\d+)? (\d+\.\d+)?$/);
  if (!built) t.regex(unavailable, /^built without CUDA/);
});

(devices.length === 0 ? test : test.skip)("page-locked memory needs a device", (t) => {
  const error = t.throws(() => addon.allocatePinned(16), { code: "ERR_DEVICE_UNAVAILABLE" });
  t.true(error?.message.endsWith(unavailable), error?.message);
});

test("a copy between typed arrays is nobody's business here", (t) => {
  const other = { ...area, data: new Uint8Array(16) };
  const refusal = {
    code: "ERR_ARGUMENT",
    message: /expected a device buffer on one side at least, received typed arrays$/,
  };
  t.throws(() => addon.copy(area, other, 1, 16), refusal);
  t.throws(() => addon.copyAsync(area, other, 1, 16), refusal);
  t.throws(() => addon.clear(area, 1, 16), {
    code: "ERR_ARGUMENT",
    message: "[clear] expected area to be on a device, received a typed array",
  });
});

/** What each verb that takes an object of ours is given around it. */
const OF_OBJECTS: readonly (readonly [
  keyof DeviceBinding,
  string,
  (object: unknown) => unknown[],
])[] = [
  ["bufferInfo", "buffer to be a device buffer", (object) => [object]],
  ["free", "buffer to be a device buffer", (object) => [object]],
  ["streamInfo", "stream to be a stream", (object) => [object]],
  ["destroyStream", "stream to be a stream", (object) => [object]],
  ["recordEvent", "event to be an event", (object) => [object]],
  ["queryEvent", "event to be an event", (object) => [object]],
  ["synchronizeEvent", "event to be an event", (object) => [object]],
  ["synchronizeEventAsync", "event to be an event", (object) => [object]],
  ["waitEvent", "event to be an event", (object) => [undefined, object]],
  ["elapsed", "begin to be an event", (object) => [object, object]],
  ["destroyEvent", "event to be an event", (object) => [object]],
  ["copy", "stream to be a stream", (object) => [area, area, 1, 1, object ?? 0]],
  ["copyAsync", "stream to be a stream", (object) => [area, area, 1, 1, object ?? 0]],
  ["clear", "stream to be a stream", (object) => [area, 1, 1, object ?? 0]],
];

const STRANGERS: readonly (readonly [string, unknown])[] = [
  ["undefined", undefined],
  ["null", null],
  ["7", 7],
  ['"a buffer"', "a buffer"],
  ["a symbol", Symbol("buffer")],
  ["a bigint", 7n],
  ["a function", () => 7],
  ["an object", {}],
  ["an object", new Proxy({}, {})],
  ["an object", bytes],
  ["an object", Object.create(addon)],
];

for (const [verb, what, args] of OF_OBJECTS) {
  test(`${verb} tells other objects from its own`, (t) => {
    for (const [description, stranger] of STRANGERS) {
      const error = t.throws(() => addon[verb](...args(stranger)), { code: "ERR_ARGUMENT" });
      const received = what.startsWith("stream to") && stranger == null && args(null).length > 1;
      t.is(error?.message, `[${verb}] expected ${what}, received ${received ? "0" : description}`);
    }
  });
}

test("a tensor's memory is a typed array or a device buffer", (t) => {
  const logits = { data: {}, dtype: "float32", rows: 1, columns: 1, rowPitch: 1 } as NativeTensor;
  t.throws(() => runNative(["token_stats", { logits }, {}, {}]), {
    code: "ERR_DTYPE",
    message:
      "[tokenStats] expected logits to be a typed array or a device buffer, received an object",
  });
  const shifted = { ...logits, data: new Float32Array(1), byteOffset: -4 };
  t.throws(() => runNative(["token_stats", { logits: shifted }, {}, {}]), {
    message: "[tokenStats] expected logits.byteOffset to be a count, received -4",
  });
});

test("no value in any place of any verb crashes the process", async (t) => {
  const anything = fc.oneof(
    fc.anything({ withTypedArray: true, withBigInt: true, withDate: true, withMap: true }),
    fc.constantFrom("cuda:0", "cuda:1", area, bytes, 0n, 1n << 64n, -1n, 2 ** 53 - 1, 1e300),
  );
  const verbs = Object.keys(addon).filter(
    (name) => name !== "configure",
  ) as (keyof DeviceBinding)[];
  // The sizes that would be given out are those of a machine's memory: that is for the tests of devices.
  const safe = verbs.filter((name) => devices.length === 0 || !/allocate|wrap/.test(name));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...safe),
      fc.array(anything, { maxLength: 6 }),
      async (verb, args) => {
        try {
          await addon[verb](...args);
        } catch (error) {
          t.true(error instanceof Error);
        }
      },
    ),
    { numRuns: 2000 },
  );
  t.pass();
});

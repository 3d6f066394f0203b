/** The native doors with a device behind them, called badly: whatever comes, an error and not a crash. */
import test from "ava";
import fc from "fast-check";
import {
  type NativeTensor,
  runNative,
  runNativeAsync,
  type Tensors,
} from "../addon/native-call.js";
import {
  addon,
  areaOf,
  counted,
  DEVICE,
  OTHER,
  statsCall,
  untyped,
  upload,
} from "./addon-calls.js";
import { SIMULATED } from "./conditions.js";

/** Objects of ours in every state, and sound arguments: what random values alone would never meet. */
function ours(): unknown[] {
  const buffer = upload(counted(64));
  const { pointer } = addon.bufferInfo(buffer);
  const freed = addon.allocate(DEVICE, 16);
  addon.free(freed);
  const stream = addon.createStream(DEVICE);
  const destroyed = addon.createStream(DEVICE);
  addon.destroyStream(destroyed);
  const event = addon.createEvent(DEVICE);
  const gone = addon.createEvent(DEVICE);
  addon.destroyEvent(gone);
  const objects = [buffer, freed, stream, destroyed, event, gone];
  const foreign = [
    addon.wrapPointer(DEVICE, pointer + 4n, 12, buffer),
    addon.wrapStream(DEVICE, addon.streamInfo(stream).pointer, stream),
    addon.wrapStream(DEVICE, 0n, undefined),
  ];
  const host = [counted(64), new Float32Array(addon.allocatePinned(256))];
  const areas = [buffer, freed, foreign[0], ...host].flatMap((data) => [
    areaOf(data as never, 0, 16),
    areaOf(data as never, 60, 4),
  ]);
  const tensors = [buffer, freed, ...host].map((data) => ({
    data,
    dtype: "float32",
    rows: 4,
    columns: 16,
    rowPitch: 16,
  }));
  return [...objects, ...foreign, ...areas, ...tensors, pointer];
}

const anything = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...ours()) },
  { weight: 2, arbitrary: fc.constantFrom(DEVICE, OTHER, undefined, 0, 1, 4, 16, 64, 2 ** 53 - 1) },
  fc.anything({ withTypedArray: true, withBigInt: true }),
);

// Page-locked memory is taken from the host, which has more than a test should ask for; and a driver believes whatever
// it is given as a stream, where a simulation looks it up.
const spared = SIMULATED
  ? ["configure", "allocatePinned"]
  : ["configure", "allocatePinned", "wrapStream"];
const verbs = Object.keys(addon).filter((name) => !spared.includes(name));

for (const verb of verbs as (keyof typeof addon)[]) {
  test(`${verb} takes anything`, async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.array(anything, { maxLength: 6 }), async (args) => {
        try {
          await untyped[verb](...args);
        } catch (error) {
          t.true(error instanceof Error);
        }
      }),
      { numRuns: 400 },
    );
    t.pass();
  });
}

test("a call of an op takes anything for any of its tensors, and for its stream", async (t) => {
  const fields = fc.constantFrom("data", "byteOffset", "dtype", "rows", "columns", "rowPitch");
  const names = fc.constantFrom("logits", "masked_logits", "token_ids", "statistics");
  await fc.assert(
    fc.asyncProperty(names, fields, anything, anything, async (name, field, value, stream) => {
      try {
        const [op, inputs, outputs, attributes] = statsCall(3, 8, upload).call;
        const replaced = { ...{ ...inputs, ...outputs }[name], [field]: value } as NativeTensor;
        const group = (tensors: Tensors) =>
          name in tensors ? { ...tensors, [name]: replaced } : tensors;
        const call = [op, group(inputs), group(outputs), attributes] as const;
        runNative(call, stream as never);
        await runNativeAsync(call, undefined, stream as never);
      } catch (error) {
        t.true(error instanceof Error);
      }
    }),
    { numRuns: 300 },
  );
  t.pass();
});

test.after("after all this everything works", (t) => {
  const { call, statistics } = statsCall(3, 8, upload);
  runNative(call);
  t.true(statistics.every(Number.isFinite));
});

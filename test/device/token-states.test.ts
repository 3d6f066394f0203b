/** Parts of a vocabulary on devices: their states merge with those of the host, and their gradients stay with them. */
import test from "ava";
import {
  finishTokenStats,
  type Logits,
  mergeTokenStats,
  type Rows,
  type TokenStates,
  type TokenStatsPartialOptions,
  tokenStatsGrad,
  tokenStatsPartial,
  tokenStatsPartialAsync,
} from "../../lib/index.js";
import { COTANGENTS } from "../../lib/ops/lines.js";
import { tokenStats as wholeRows } from "../../lib/reference/index.js";
import { valuesOf } from "../objective/batches.js";
import { type EngineBatch, engineBatch, LOGITS_DTYPES } from "../ops/engine-batch.js";
import { columnsOf } from "../ops/vocab-shards.js";
import { assertClose } from "../support/close.js";
import { DISTRIBUTIONS, Random } from "../support/inputs.js";
import { GRADIENT_TOLERANCES, TOLERANCES } from "../support/tolerances.js";
import { HAS_OTHER } from "./conditions.js";
import { DEVICE, failure, OTHER, onDevice } from "./devices.js";

const PLACES = HAS_OTHER ? (["cpu", DEVICE, OTHER] as const) : (["cpu", DEVICE] as const);
const TEMPERATURE = 1.3;

type Shard = TokenStatsPartialOptions & { readonly maskedLogits: Logits };

/** The parts between the cuts, the first on the host and the others on one device after the other. */
function spread(batch: EngineBatch, cuts: readonly number[], onHost = false): Shard[] {
  const { tokenIds, responseMask } = batch;
  const vocabTotal = batch.logits.columns;
  return [0, ...cuts].map((begin, i) => {
    const place = onHost ? "cpu" : (PLACES[i % PLACES.length] as (typeof PLACES)[number]);
    const part = (of: EngineBatch["logits"]) => {
      const columns = columnsOf(of, begin, cuts[i] ?? vocabTotal);
      return place === "cpu" ? columns : onDevice(columns, place);
    };
    return {
      logits: part(batch.logits),
      maskedLogits: part(batch.maskedLogits),
      tokenIds,
      responseMask,
      temperature: TEMPERATURE,
      vocabOffset: begin,
      vocabTotal,
    };
  });
}

for (const dtype of LOGITS_DTYPES) {
  for (const distribution of DISTRIBUTIONS) {
    test(`parts of ${distribution} ${dtype} logits, wherever they lie, are the whole row`, (t) => {
      for (const [vocabSize, cuts] of [
        [7, [1, 6]],
        [600, [255, 256]],
        [1031, [3, 700]],
      ] as const) {
        const batch = engineBatch({ distribution, vocabSize }, dtype);
        const expected = wholeRows({ ...batch.reference, temperature: TEMPERATURE });
        const shards = spread(batch, cuts);
        const states = mergeTokenStats(shards.map(tokenStatsPartial));
        const [shard] = shards as [Shard];
        const statistics = finishTokenStats({ ...shard, states }) as unknown as Record<
          string,
          Rows
        >;
        for (const name of COTANGENTS) {
          const values = (statistics[name] as Rows).data;
          assertClose(
            t,
            `${name} of ${vocabSize}`,
            values,
            expected[name],
            TOLERANCES.deviceStatistics,
          );
        }
      }
    });
  }

  test(`gradients of parts of ${dtype} logits lie where the part does and are those of the host`, (t) => {
    const batch = engineBatch({ vocabSize: 1031 }, dtype);
    const shards = spread(batch, [300, 700]);
    const states = mergeTokenStats(shards.map(tokenStatsPartial));
    const random = new Random(4);
    const rows = () => Float64Array.from({ length: 12 }, () => random.normal());
    const gradients = {
      gradLogProbs: rows(),
      gradEntropy: rows(),
      gradKl: rows(),
      gradReverseKl: rows(),
    };
    const onHost = spread(batch, [300, 700], true);
    shards.forEach((shard, i) => {
      const actual = tokenStatsGrad({ ...shard, states, gradients });
      const expected = tokenStatsGrad({ ...(onHost[i] as Shard), states, gradients });
      for (const name of ["gradLogits", "gradMaskedLogits"] as const) {
        t.is(actual[name]?.device, shard.logits.device);
        const [a, e] = [actual[name], expected[name]].map(valuesOf) as [Float64Array, Float64Array];
        assertClose(t, `${name} on ${shard.logits.device}`, a, e, GRADIENT_TOLERANCES[dtype]);
      }
    });
  });
}

const bits = ({ data }: TokenStates) => new BigUint64Array(data.slice().buffer);

/** The only part of a batch, on the device. */
function alone(batch: EngineBatch): Shard {
  const [shard] = spread(batch, [], true) as [Shard];
  const there = (of: Logits) => onDevice(of as EngineBatch["logits"]);
  return { ...shard, logits: there(shard.logits), maskedLogits: there(shard.maskedLogits) };
}

test("the same part gives the same bits every time, at once and off the event loop", async (t) => {
  const shard = alone(engineBatch({ vocabSize: 1031 }, "bfloat16"));
  const first = bits(tokenStatsPartial(shard));
  t.deepEqual(bits(tokenStatsPartial(shard)), first);
  t.deepEqual(bits(await tokenStatsPartialAsync(shard)), first);
});

test("a part of only −Infinity is the very state that it is on the host", (t) => {
  const batch = engineBatch({ vocabSize: 600, full: true });
  for (const of of [batch.logits, batch.maskedLogits]) (of.data as Float32Array).fill(-Infinity);
  const [onHost] = spread(batch, [], true) as [Shard];
  t.deepEqual(bits(tokenStatsPartial(alone(batch))), bits(tokenStatsPartial(onHost)));
});

test("NaN and Infinity in a part on a device are found at the end, in their row", async (t) => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    for (const name of ["logits", "maskedLogits"] as const) {
      const batch = engineBatch({ vocabSize: 600, full: true });
      (batch[name].data as Float32Array)[5 * 600 + 599] = bad;
      const shards = spread(batch, [300]);
      const states = mergeTokenStats(shards.map(tokenStatsPartial));
      t.deepEqual(await failure(() => finishTokenStats({ ...(shards[0] as Shard), states })), [
        "ERR_NOT_FINITE",
        `[finishTokenStats] expected row 5 of ${name} to hold finite logits (or -Infinity beside them), received NaN or Infinity`,
      ]);
    }
  }
});

test("states stay on the host", async (t) => {
  const shard = alone(engineBatch({ vocabSize: 20 }));
  const states = tokenStatsPartial(shard);
  t.is(states.device, "cpu");
  const there = states.to(DEVICE);
  const gradients = { gradKl: new Float64Array(12) };
  for (const [act, name] of [
    [() => mergeTokenStats([states, there]), "states[1]"],
    [() => finishTokenStats({ ...shard, states: there }), "states"],
    [() => tokenStatsGrad({ ...shard, states: there, gradients }), "states"],
  ] as const) {
    const [code, sentence] = (await failure(act)) as [string, string];
    t.is(code, "ERR_DEVICE_MISMATCH");
    t.true(sentence.includes(`expected ${name} in host memory`), sentence);
  }
});

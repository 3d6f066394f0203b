/** What the table says of each surrogate is complete, and true where it can be tried. */
import test from "ava";
import { describeSurrogates, parametersOf } from "../../lib/surrogates/describe.js";
import { findSurrogate, SURROGATES, type SurrogateSpec } from "../../lib/surrogates/table.js";
import { evaluate, randomBatch, sequencesOf, type Tokens } from "./batches.js";

/** What specs of today rely on: a default that changes changes their losses. */
const DEFAULTS: Readonly<Record<string, object>> = {
  "ppo-clip": {},
  cispo: { ratioCap: 5 },
  "cispo-two-sided": {},
  sapo: { temperaturePositive: 1, temperatureNegative: 1.05 },
  gspo: {},
  "gspo-token": { sequenceLogRatioMax: 10 },
  gmpo: {},
  vespo: { powerPositive: 2, decayPositive: 3, powerNegative: 3, decayNegative: 2 },
  reinforce: {},
  "clip-cov": { fraction: 2e-4, lower: 1, upper: 5 },
  "kl-cov": { fraction: 2e-4, coefficient: 1 },
  dppo: { divergence: "tv", low: 0.2, high: 0.2, conditional: false, logRatioPenalty: 0 },
  icepop: { low: 0.2, high: 5 },
  kpop: { limit: 0.1, logRatioPenalty: 0 },
};

test("parameters that are not said are those of the sources, and one surrogate draws", (t) => {
  for (const definition of SURROGATES) {
    const named = parametersOf(definition).map(({ name, default: value }) => [name, value]);
    t.deepEqual(Object.fromEntries(named), DEFAULTS[definition.kind], definition.kind);
    t.is(definition.draws ?? false, definition.kind === "clip-cov", definition.kind);
  }
});

test("the table holds every surrogate once", (t) => {
  const kinds = SURROGATES.map(({ kind }) => kind);
  t.deepEqual(kinds, [
    "ppo-clip",
    "cispo",
    "cispo-two-sided",
    "sapo",
    "gspo",
    "gspo-token",
    "gmpo",
    "vespo",
    "reinforce",
    "clip-cov",
    "kl-cov",
    "dppo",
    "icepop",
    "kpop",
  ]);
  const names = [...kinds, ...SURROGATES.flatMap(({ aliases = [] }) => aliases)];
  t.is(new Set(names).size, names.length);
  t.is(findSurrogate("gpg")?.kind, "reinforce");
  t.is(findSurrogate("sarsa"), undefined);
});

for (const definition of SURROGATES) {
  const { kind, scope } = definition;

  test(`${kind}: every text is there`, (t) => {
    for (const key of ["summary", "formula", "gradient", "source"] as const) {
      t.regex(definition[key], /^\S.{2,}\S$/, key);
    }
    for (const list of [definition.peers, definition.findings]) {
      t.true(list.length > 0);
      for (const text of list) t.regex(text, /^\S.{9,}\S$/);
      t.is(new Set(list).size, list.length);
    }
    t.regex(definition.source, /\d{4}\.\d{5}|\(\d{4}\)|https?:|\.site/);
  });

  test(`${kind}: its scope is the tokens that its slopes and values depend on`, (t) => {
    const reached = new Set<string>();
    for (let seed = 0; seed < 20; seed++) {
      const batch = randomBatch(seed);
      const before = evaluate(kind, batch, PROBE[kind]);
      for (const row of batch.logProbs.keys()) {
        if (batch.mask?.[row] === 0) continue;
        const after = evaluate(kind, moved(batch, row), PROBE[kind]);
        for (const other of batch.logProbs.keys()) {
          const same =
            before.slopes[other] === after.slopes[other] &&
            before.values[other] === after.values[other];
          if (other !== row && !same) {
            reached.add(sequenceOf(batch, other) === sequenceOf(batch, row) ? "sequence" : "batch");
          }
        }
      }
    }
    const expected = { token: [], sequence: ["sequence"], batch: ["batch", "sequence"] };
    t.deepEqual([...reached].sort(), expected[scope]);
  });

  if (scope !== "batch") {
    test(`${kind}: a batch in parts, cut between sequences, gives the same to the bit`, (t) => {
      for (let seed = 0; seed < 5; seed++) {
        const batch = randomBatch(seed, { drift: 1 });
        const whole = evaluate(kind, batch);
        const parts = [0, 1, 4].map((first, i, all) =>
          evaluate(kind, sequencesOf(batch, first, all[i + 1] ?? batch.offsets.length - 1)),
        );
        for (const line of ["values", "slopes", "ratios", "clips"] as const) {
          t.deepEqual(
            parts.flatMap((part) => [...part[line]]),
            [...whole[line]],
            line,
          );
        }
      }
    });
  }

  test(`${kind}: it reads the log-probs that it says it reads, and no others`, (t) => {
    const batch = randomBatch(3, { drift: 1 });
    const { values, slopes } = evaluate(kind, batch, PROBE[kind]);
    const changes = (change: Partial<Tokens>) => {
      const after = evaluate(kind, { ...batch, ...change }, PROBE[kind]);
      return String([values, slopes]) !== String([after.values, after.slopes]);
    };
    const reads = new Set(definition.reads);
    const shifted = (values?: Float64Array) => values?.map((x) => x - 0.5);
    t.is(
      changes({ rolloutLogProbs: shifted(batch.rolloutLogProbs) }),
      reads.has("rolloutLogProbs"),
    );
    const old = shifted(batch.oldLogProbs) as Float64Array;
    // Beside log-probs of the sampler the old policy's are not looked at.
    t.is(changes({ oldLogProbs: old }), reads.has("oldLogProbs") && !reads.has("rolloutLogProbs"));
    if (reads.has("rolloutLogProbs")) {
      const alone = { ...batch, rolloutLogProbs: undefined };
      t.notDeepEqual(
        evaluate(kind, alone, PROBE[kind]).values,
        evaluate(kind, { ...alone, oldLogProbs: old }, PROBE[kind]).values,
      );
    }
  });

  test(`${kind}: it heeds the keys of the clip that it says it heeds`, (t) => {
    const valuesOf = (clip: Partial<Tokens["clip"]>) =>
      Array.from({ length: 8 }, (_, seed) => {
        const batch = randomBatch(seed, { drift: 1 });
        return [
          ...evaluate(kind, { ...batch, clip: { ...batch.clip, ...clip } }, PROBE[kind]).values,
        ];
      });
    const changes = (clip: Partial<Tokens["clip"]>) =>
      String(valuesOf(clip)) !== String(valuesOf({}));
    const heeded = [
      ...(changes({ low: 0.05 }) ? ["clipLow"] : []),
      ...(changes({ high: 0.05 }) ? ["clipHigh"] : []),
      ...(changes({ dual: 1.3 }) ? ["clipDual"] : []),
    ];
    t.deepEqual(heeded, [...definition.clips]);
  });

  const parameters = parametersOf(definition);
  if (parameters.length === 0) continue;

  test(`${kind}: parameters have meanings, and defaults within their ranges`, (t) => {
    for (const { name, meaning, default: value, min, above, max, words } of parametersOf(
      definition,
    )) {
      t.regex(name, /^[a-z][a-zA-Z]+$/);
      t.regex(meaning, /^\S.{5,}\S$/);
      if (typeof value === "number") {
        t.true(Number.isFinite(value) && value >= (min ?? value) && value <= (max ?? value), name);
        if (above !== undefined) t.true(value > above, name);
      } else if (typeof value === "string") t.true(words?.includes(value), name);
      else t.is(typeof value, "boolean");
    }
  });

  test(`${kind}: every parameter has an effect`, (t) => {
    for (const { name, default: value, words } of parameters) {
      const other = words ? words[1] : typeof value === "boolean" ? !value : 0.07;
      const given = { ...PROBE[kind], [name]: other };
      const differs = Array.from({ length: 20 }, (_, seed) => randomBatch(seed, { drift: 1 })).some(
        (batch) =>
          String(evaluate(kind, batch, given).values) !==
          String(evaluate(kind, batch, PROBE[kind]).values),
      );
      t.true(differs, name);
    }
  });
}

/** Parameters under which what is to be seen happens in a small batch. */
const PROBE: Readonly<Record<SurrogateSpec["kind"], object>> = {
  "ppo-clip": {},
  cispo: {},
  "cispo-two-sided": {},
  sapo: {},
  gspo: {},
  "gspo-token": {},
  gmpo: {},
  vespo: {},
  reinforce: {},
  "clip-cov": { fraction: 0.5, lower: 0.2, upper: 2 },
  "kl-cov": { fraction: 0.3 },
  dppo: {},
  icepop: {},
  kpop: {},
};

const sequenceOf = ({ offsets }: Tokens, row: number) => offsets.findLastIndex((o) => o <= row);

/** The batch with another log-prob in one row. */
function moved(batch: Tokens, row: number): Tokens {
  const logProbs = batch.logProbs.slice();
  logProbs[row] = (logProbs[row] as number) - 1;
  return { ...batch, logProbs };
}

test("the description is plain JSON with all that the table says", (t) => {
  const described = describeSurrogates();
  t.deepEqual(JSON.parse(JSON.stringify(described)), described);
  t.deepEqual(
    described.map(({ kind }) => kind),
    SURROGATES.map(({ kind }) => kind),
  );
  t.deepEqual(described.find(({ kind }) => kind === "cispo")?.parameters, [
    {
      name: "ratioCap",
      default: 5,
      meaning: "largest importance weight, itself a ratio",
      above: 0,
    },
  ]);
  t.deepEqual(described.find(({ kind }) => kind === "reinforce")?.aliases, ["gpg"]);
});

test("a spec's type has the parameters of its kind", (t) => {
  const spec: SurrogateSpec = { kind: "sapo", temperaturePositive: 1, temperatureNegative: 2 };
  // @ts-expect-error a parameter of another kind
  const strange: SurrogateSpec = { kind: "gspo", ratioCap: 5 };
  t.is(spec.kind, "sapo");
  t.is(strange.kind, "gspo");
});

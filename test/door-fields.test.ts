/** Fields of public calls: each is read once, and null is a value like any other. */
import test from "ava";
import { errorOf } from "./support/hostile.js";
import { CALLS } from "./support/valid-calls.js";

// A field that is read once is what was checked, whatever a getter says next.

for (const [name, [call, valid]] of Object.entries(CALLS)) {
  // The reference reads its options as it goes.
  if (name.startsWith("reference")) continue;
  test(`${name} reads each of its fields once`, async (t) => {
    const reads = new Map<string, number>();
    const fields = valid();
    for (const [key, value] of Object.entries(fields)) {
      const get = () => {
        reads.set(key, (reads.get(key) ?? 0) + 1);
        return value;
      };
      Object.defineProperty(fields, key, { get, enumerable: true });
    }
    await errorOf(() => call(fields));
    t.deepEqual(
      [...reads].filter(([, times]) => times > 1),
      [],
    );
  });
}

// null is a value: it stands for "none" where a spec or a peer says so, and never for a default.

const SPEC_NONE =
  "klLimit exactKlLimit perceptionKlMin perceptionKlMax perceptionTokenMask policyTokenMask advantageShaping offPolicyMask rolloutCorrection entropyBounds";
/** Fields that may be null, by the beginning of a call's name. */
const NONE: Readonly<Record<string, string>> = {
  papoLoss: SPEC_NONE,
  validateSpec: SPEC_NONE,
  warnings: SPEC_NONE,
  "new Objective": SPEC_NONE,
  objective: SPEC_NONE,
  "ObjectiveBuilder.policy": "tokenMask advantageShaping offPolicyMask rolloutCorrection reject",
  "ObjectiveBuilder.perceptionKl": "exactLimit min max tokenMask",
  "ObjectiveBuilder.entropy": "bounds low high",
  "ObjectiveBuilder.limits": "kl exactKl",
};
const mayBeNull = (name: string, key: string) =>
  Object.entries(NONE).some(
    ([call, keys]) => name.startsWith(call) && keys.split(" ").includes(key),
  );

for (const [name, [call, valid]] of Object.entries(CALLS)) {
  // Peers' configs have Python's None; the reference leaves much to its callers.
  if (/^(?:from[A-Z]|reference)/.test(name)) continue;
  test(`${name} does not take null for a field that is left out`, async (t) => {
    const taken: string[] = [];
    for (const key of Object.keys(valid())) {
      if (mayBeNull(name, key)) continue;
      if ((await errorOf(() => call({ ...valid(), [key]: null }))) === undefined) taken.push(key);
    }
    t.deepEqual(taken, []);
  });
}

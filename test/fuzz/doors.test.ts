/** Every door, a few cases each: no call crashes, and none that fails leaves anything behind. */
import test from "ava";
import { DOORS, VERBS } from "./doors.js";
import { startFrameworks } from "./framework-doors.js";
import { emptyTally, fuzzDoor, type Tally } from "./round.js";
import { runCase } from "./run-case.js";

const CALLS = 12;
/** Another one, and millions of calls, with `npm run fuzz`. */
const SEED = 20251121;

test.before(startFrameworks);

test("every exported function is called, and every valid call succeeds", async (t) => {
  const doors = Object.keys(DOORS);
  for (const [name] of VERBS) t.true(doors.includes(`${name} of anything`), name);
  for (const [name, door] of Object.entries(DOORS)) {
    const valid = { door: name, shift: 8, mutations: [] };
    if (door.any) continue;
    const { kind } = await runCase(valid);
    t.is(kind, "success", name);
  }
});

test("what is wrong with a call is refused, and nothing else happens", async (t) => {
  const all: Tally = emptyTally();
  for (const name of Object.keys(DOORS)) {
    const failure = await fuzzDoor(name, CALLS, SEED, all);
    t.is(
      failure,
      undefined,
      `${name}: npm run fuzz -- --replay '${JSON.stringify(failure?.case)}'`,
    );
  }
  // A fuzzer whose every call is refused at its first argument sees nothing.
  t.true(all.successes > all.calls / 6, JSON.stringify(all));
  t.true(all.reached > all.calls / 5, JSON.stringify(all));
});

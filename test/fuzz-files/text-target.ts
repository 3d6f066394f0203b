/** Spoiled JSON: objectives out of files, and states of a monitor out of checkpoints. */
import fc from "fast-check";
import { PRESET_IDS, parseSpec, preset } from "../../lib/index.js";
import { CollapseMonitor } from "../../lib/monitor/index.js";
import { safetensorsBytes } from "../support/safetensors-bytes.js";
import { checkError } from "./judge.js";
import { mutations, spoiled } from "./mutations.js";
import { Outcomes } from "./outcomes.js";
import type { Target } from "./targets.js";

const outcomes = new Outcomes();

const SPECS = PRESET_IDS.map((id) => JSON.stringify(preset(id)));
const STATE = stateOf();

/** After some steps, so that every list of it holds something. */
function stateOf(): string {
  const monitor = new CollapseMonitor();
  for (let step = 0; step < 60; step++) {
    const metrics = { perceptionKl: 0.1 + step ** 2, clipFraction: 0.01 * step, entropy: 1 + step };
    monitor.update({ step, metrics: metrics as never, reward: 1 / (1 + step) });
  }
  return JSON.stringify(monitor.state());
}

const good = fc.oneof(fc.constant(STATE), fc.constantFrom(...SPECS));
/** What takes the place of some value: any JSON, numbers at the edge, a value that is taken away, and one for all names. */
const values = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    value: fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom(undefined, null, -1, 0, 0.5, 2, 1e308, 2 ** 53, 2 ** 31, "", [], {}, true),
      fc.constant(JSON.parse('{"__proto__":{"kind":"constant"}}')),
    ),
  }),
  { minLength: 1, maxLength: 3 },
);
type Changes = readonly { readonly at: number; readonly value: unknown }[];

/** A copy with other values in some places, names and items counted in order. */
function changed(json: string, changes: Changes): string {
  const value: unknown = JSON.parse(json);
  for (const change of changes) {
    const places: [owner: Record<string, unknown>, key: string][] = [];
    const walk = (owner: unknown) => {
      if (typeof owner !== "object" || owner === null) return;
      for (const [key, inner] of Object.entries(owner)) {
        places.push([owner as Record<string, unknown>, key]);
        walk(inner);
      }
    };
    walk(value);
    const place = places[Math.floor(change.at * places.length)];
    // A copy: the same value may be put into itself.
    if (place) place[0][place[1]] = structuredClone(change.value);
  }
  return JSON.stringify(value);
}

const text = fc.oneof(
  fc
    .tuple(good, mutations)
    .map(
      ([json, list]) =>
        [json === STATE, spoiled(safetensorsBytes(json), list).toString("utf8", 8)] as const,
    ),
  {
    weight: 3,
    arbitrary: fc
      .tuple(good, values)
      .map(([json, changes]) => [json === STATE, changed(json, changes)] as const),
  },
);

function read(isState: boolean, json: string): void {
  if (!isState) {
    const spec = parseSpec(json, "file");
    if (JSON.stringify(parseSpec(JSON.stringify(spec))) !== JSON.stringify(spec)) {
      throw new Error("another objective when it is read again");
    }
    return;
  }
  const monitor = CollapseMonitor.fromState(JSON.parse(json));
  JSON.stringify(monitor.state());
}

export const textTarget: Target = {
  name: "text",
  share: 0.15,
  outcomes,
  property: () =>
    fc.property(text, ([isState, json]) => {
      const kind = isState ? "state" : "objective";
      try {
        read(isState, json);
        outcomes.add(`${kind} read`);
      } catch (error) {
        if (isState && error instanceof SyntaxError) return outcomes.add("state no JSON");
        checkError(error, ["ERR_ARGUMENT", "ERR_RANGE", "ERR_UNSUPPORTED", "ERR_SHAPE"]);
        outcomes.add(`${kind} refused`);
      }
    }),
};

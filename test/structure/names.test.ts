/** One name per op in every room, and one dictionary on both banks of the bridge. */
import { existsSync } from "node:fs";
import test from "ava";
import { binding } from "../../lib/addon/load.js";
import { DTYPES } from "../../lib/core/dtype.js";
import { OBJECTIVE_DEFAULTS } from "../../lib/functional/papo-loss-options.js";
import { COTANGENTS, STATES, STATISTICS, TERMS } from "../../lib/ops/lines.js";
import * as reference from "../../lib/reference/index.js";
import { objectiveNumbers } from "../../lib/reference/objective-numbers.js";
import { filesBelow, ROOT, read } from "./files.js";

const ops = binding().info().ops;

const kebab = (name: string): string => name.replaceAll("_", "-");
const camel = (name: string): string =>
  name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());

/** Ops over logits run where these are; what has only numbers per token stays on the host. */
const overLogits = new Set(
  ops.filter((op) => op.inputs[0]?.name === "logits").map((op) => op.name),
);

/** Where each op has its file; a room that does not exist yet asks for nothing. */
const ROOMS: readonly { room: string; file: (op: string) => string; only?: Set<string> }[] = [
  { room: "native/ops", file: (op) => `${op}.hpp` },
  { room: "native/cpu/kernels", file: (op) => `${op}.inl.hpp` },
  { room: "native/cuda", file: (op) => `${op}.cpp`, only: overLogits },
  { room: "lib/ops", file: (op) => `${kebab(op)}.ts` },
  { room: "lib/reference", file: (op) => `${kebab(op)}.ts` },
  { room: "test/ops", file: (op) => `${kebab(op)}.test.ts` },
];

/** Attributes that the library sets itself, so that no user meets their names. */
const INTERNAL_ATTRIBUTES = new Set(["has_masked", "accumulate"]);

/** Inputs that the library makes itself: results of other ops and the weights of a reduction. */
const INTERNAL_INPUTS = new Set([
  "statistics",
  "cotangents",
  "weights",
  "entropy_weights",
  "perception_weights",
  "other_states",
]);

/** Names of properties and options in the rooms that users see. */
const publicNames = new Set(
  ["lib/functional", "lib/objective"]
    .flatMap(filesBelow)
    .flatMap((path) => [...read(path).matchAll(/\b([a-zA-Z][a-zA-Z0-9]*)\??:/g)].map((m) => m[1])),
);

test("the addon declares the seven ops", (t) => {
  t.deepEqual(ops.map((op) => op.name).sort(), [
    "papo_loss",
    "token_objective",
    "token_stats",
    "token_stats_finish",
    "token_stats_grad",
    "token_stats_merge",
    "token_stats_partial",
  ]);
});

test("dtypes have the same numbers on both banks", (t) => {
  t.deepEqual(binding().info().dtypes, [...DTYPES]);
});

test("lines have the same names in the addon and the library, in the same order", (t) => {
  const lines = new Map(
    ops
      .flatMap(({ inputs, outputs }) => [...inputs, ...outputs])
      .filter((tensor) => tensor.lines.length > 0)
      .map((tensor) => [tensor.name, tensor.lines.map(camel)]),
  );
  t.deepEqual(Object.fromEntries(lines), {
    statistics: [...STATISTICS],
    cotangents: [...COTANGENTS],
    terms: [...TERMS],
    states: [...STATES],
    other_states: [...STATES],
    merged_states: [...STATES],
  });
  t.deepEqual([...reference.STATES], [...STATES]);
  t.deepEqual([...reference.STATISTICS], [...STATISTICS]);
});

for (const op of ops) {
  test(`${op.name} has its file in every room`, (t) => {
    const missing = ROOMS.filter(({ room }) => existsSync(`${ROOT}${room}`))
      .filter(({ only }) => only?.has(op.name) ?? true)
      .map(({ room, file }) => `${room}/${file(op.name)}`)
      .filter((path) => !existsSync(`${ROOT}${path}`));
    t.deepEqual(missing, []);
  });

  test(`${op.name}: every attribute and input is an option of the same name`, (t) => {
    const names = [
      ...op.attributes.map(({ name }) => name).filter((name) => !INTERNAL_ATTRIBUTES.has(name)),
      ...op.inputs.map(({ name }) => name).filter((name) => !INTERNAL_INPUTS.has(name)),
    ];
    t.deepEqual(
      names.filter((name) => !publicNames.has(camel(name))),
      [],
    );
  });

  test(`${op.name}: its words are snake_case`, (t) => {
    const words = [
      op.name,
      ...[...op.inputs, ...op.outputs, ...op.attributes].map(({ name }) => name),
    ];
    t.deepEqual(
      words.filter((word) => !/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(word)),
      [],
    );
  });
}

test("an objective's defaults are the same in the addon, the library and the reference", (t) => {
  const native = ops.find(({ name }) => name === "token_objective")?.attributes ?? [];
  const ofAddon = Object.fromEntries(
    native
      .filter(({ name }) => !INTERNAL_ATTRIBUTES.has(name))
      .map((attribute) => [camel(attribute.name), attribute.default]),
  );
  t.deepEqual(ofAddon, { ...OBJECTIVE_DEFAULTS });
  const { exactKlLimit, ...ofReference } = objectiveNumbers("names", {});
  t.like({ ...ofReference, exactKlLimit: exactKlLimit ?? Number.POSITIVE_INFINITY }, ofAddon);
});

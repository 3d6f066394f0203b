/** Everything that is public is at the door: it has a valid call, whose fields the door's tests spoil. */
import test from "ava";
import * as papo from "../../lib/index.js";
import * as reference from "../../lib/reference/index.js";
import * as rewards from "../../lib/rewards/index.js";
import { CALLS, DEVICE_CALLS } from "../support/valid-calls.js";

/** Public, and without a valid call of one object. */
const WITHOUT: Readonly<Record<string, string>> = {
  info: "takes nothing",
  describeSurrogates: "takes nothing",
  "cuda.devices": "takes nothing",
  "cuda.withStream": "takes a live stream; test/device/streams.test.ts",
  fromDevicePointer: "takes the address of memory that is there; test/device/addon-door.test.ts",
  PapoError: "is thrown, not called",
  SafetensorsFile: "reads files; the door's tests of files",
  SafetensorsWriter: "writes files; the door's tests of files",
};

/** Methods of public classes without a call: they take nothing, or only devices have what they take. */
const METHODS_WITHOUT: Readonly<Record<string, RegExp>> = {
  Tensor: /^(?:item|dispose|toNative|hostData|span)$/,
  "cuda.Stream": /./,
  "cuda.Event": /./,
  ObjectiveBuilder: /^(?:spec|build)$/,
  RowBlockEvaluation: /^finish$/,
};

const NAMES = Object.keys({ ...CALLS, ...DEVICE_CALLS }).map((name) => name.replace(/^new /, ""));

/** Whether a call is of `name`: the name itself, or the name and what of it. */
function isCalled(name: string): boolean {
  return NAMES.some((call) => call === name || /^(?:,? )/.test(after(call, name)));
}

function after(call: string, name: string): string {
  return call.startsWith(name) ? call.slice(name.length) : "";
}

/** Public functions and classes by their name at the door. */
function* exported(): Generator<[name: string, value: unknown]> {
  const doors = { "": papo, "cuda.": papo.cuda, "reference.": reference, "rewards.": rewards };
  for (const [prefix, door] of Object.entries(doors)) {
    for (const [name, value] of Object.entries(door)) {
      if (typeof value === "function") yield [`${prefix}${name}`, value];
    }
  }
}

/** Methods, static ones too; accessors take nothing. */
function methodsOf(value: unknown): string[] {
  const { prototype } = value as { prototype: object };
  return [value as object, prototype].flatMap((of) =>
    Object.entries(Object.getOwnPropertyDescriptors(of))
      .filter(([name, { value: method }]) => name !== "constructor" && isFunction(method))
      .map(([name]) => name),
  );
}

function isFunction(value: unknown): boolean {
  return typeof value === "function";
}

test("every public function and class has a valid call, or a reason to have none", (t) => {
  const missing: string[] = [];
  for (const [name] of exported()) {
    if (!(name in WITHOUT) && !isCalled(name)) missing.push(name);
  }
  t.deepEqual(missing, []);
});

test("every public method that takes anything has a valid call", (t) => {
  const classes = new Map<string, unknown>();
  for (const [name, value] of exported()) {
    if (/(?:^|\.)[A-Z]/.test(name) && !(name in WITHOUT)) classes.set(name, value);
  }
  // Classes that are public as what others give.
  const objective = papo.objective().build();
  const tokens = { tokenIds: [0], advantages: [1] };
  const logits = papo.zeros([1, 2]);
  for (const given of [
    papo.objective(),
    objective.bind({ ...tokens, logits }),
    objective.begin({ ...tokens, vocabSize: 2 }),
  ]) {
    classes.set(given.constructor.name, given.constructor);
  }
  const missing: string[] = [];
  for (const [name, value] of classes) {
    for (const method of methodsOf(value)) {
      if (METHODS_WITHOUT[name]?.test(method) || isCalled(`${name}.${method}`)) continue;
      missing.push(`${name}.${method}`);
    }
  }
  t.deepEqual(missing, []);
});

test("no reason is left of what is gone or has a call", (t) => {
  const names = new Map(exported());
  const stale = Object.keys(WITHOUT).filter((name) => !names.has(name) || isCalled(name));
  t.deepEqual(stale, []);
});

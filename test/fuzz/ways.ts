/** Ways to make one place of a call wrong, and the little that each lets happen to the caller's memory. */
import * as papo from "../../lib/index.js";
import { OWN } from "../support/hostile.js";
import { checkKnownGood } from "./known-good.js";

/** One place of a call's fields. */
export interface Target {
  /** What holds it. */
  readonly holder: Record<string, unknown>;
  readonly key: string;
  readonly valid: unknown;
  /** Makes the wrong value. */
  readonly wrong: () => unknown;
  /** Memory of the other fields. */
  readonly others: () => readonly ArrayBufferView[];
  /** To be undone once the call has settled. */
  readonly undo: (() => void)[];
}

export interface Way {
  /** How often, relative to the others. */
  readonly weight: number;
  /** Whether the caller's own code changes memory meanwhile, so that nobody can say who changed it. */
  readonly writes?: boolean;
  readonly apply: (target: Target) => void;
}

function behind({ holder, key }: Target, get: () => unknown): void {
  Object.defineProperty(holder, key, { get, enumerable: true, configurable: true });
}

/** Whatever is there by now: a getter that another mutation left cannot be assigned. */
function put({ holder, key }: Target, value: unknown): void {
  const rest = { writable: true, enumerable: true, configurable: true };
  Object.defineProperty(holder, key, { value, ...rest });
}

/** A getter that acts at its first read, and gives the valid value. */
function atFirstRead(target: Target, act: () => void): void {
  let done = false;
  behind(target, () => {
    if (!done) {
      done = true;
      act();
    }
    return target.valid;
  });
}

function isDetached({ buffer }: ArrayBufferView): boolean {
  return buffer.byteLength === 0;
}

/** Memory that was moved away, to look at what is in it afterwards. */
export const moved: WeakMap<ArrayBufferLike, ArrayBuffer> = new WeakMap<
  ArrayBufferLike,
  ArrayBuffer
>();

function detach(view: ArrayBufferView): void {
  const { buffer } = view;
  if (isDetached(view) || !(buffer instanceof ArrayBuffer)) return;
  moved.set(buffer, structuredClone(buffer, { transfer: [buffer] }));
}

/** Names that make every `Object.defineProperty` of the process fail. */
const IN_DESCRIPTORS = new Set(["get", "set", "value", "writable", "enumerable", "configurable"]);

export const WAYS: Readonly<Record<string, Way>> = {
  value: {
    weight: 14,
    apply: (target) => put(target, target.wrong()),
  },
  "left out": { weight: 1, apply: ({ holder, key }) => void delete holder[key] },
  undefined: {
    weight: 1,
    apply: (target) => put(target, undefined),
  },
  "getter throws": {
    weight: 1,
    apply: (target) =>
      behind(target, () => {
        throw OWN;
      }),
  },
  "getter changes its mind": {
    weight: 2,
    apply: (target) => {
      let reads = 0;
      const wrong = target.wrong();
      behind(target, () => (reads++ === 0 ? target.valid : wrong));
    },
  },
  "getter detaches": {
    weight: 1,
    apply: (target) => atFirstRead(target, () => target.others().forEach(detach)),
  },
  "getter detaches one": {
    weight: 2,
    apply: (target) =>
      atFirstRead(target, () => {
        const [first] = target.others();
        if (first !== undefined) detach(first);
      }),
  },
  "getter writes": {
    weight: 1,
    writes: true,
    apply: (target) =>
      atFirstRead(target, () => {
        for (const view of target.others()) {
          if (isDetached(view)) continue;
          new Uint8Array(view.buffer, view.byteOffset, view.byteLength).fill(0x7f);
        }
      }),
  },
  "getter calls again": {
    weight: 1,
    // Not where Object.prototype has options for it too.
    apply: (target) =>
      atFirstRead(target, () => {
        if (target.undo.length === 0) checkKnownGood();
      }),
  },
  inherited: {
    weight: 1,
    apply: ({ holder, key, wrong }) => {
      if (Array.isArray(holder)) return;
      delete holder[key];
      Object.setPrototypeOf(holder, { [key]: wrong() });
    },
  },
  "in Object.prototype": {
    weight: 2,
    apply: ({ holder, key, wrong, undo }) => {
      if (key in Object.prototype || IN_DESCRIPTORS.has(key) || Array.isArray(holder)) return;
      delete holder[key];
      const value = wrong();
      Object.defineProperty(Object.prototype, key, { value, writable: true, configurable: true });
      undo.push(() => Reflect.deleteProperty(Object.prototype, key));
    },
  },
  "setters in Object.prototype": {
    weight: 1,
    apply: ({ undo }) => {
      for (const name of ["code", "row"]) {
        Object.defineProperty(Object.prototype, name, {
          set: () => {},
          get: () => undefined,
          configurable: true,
        });
        undo.push(() => Reflect.deleteProperty(Object.prototype, name));
      }
    },
  },
  "the memory of another": {
    weight: 1,
    writes: true,
    apply: (target) => {
      const { valid } = target;
      const [view] = target.others();
      if (!(valid instanceof papo.Tensor) || !(view instanceof Float32Array)) return;
      const { shape } = valid;
      if (view.length >= valid.size) put(target, papo.tensor(view, { shape: [...shape] }));
    },
  },
  "an unknown key": {
    weight: 1,
    apply: ({ holder, wrong }) => {
      if (!Array.isArray(holder)) holder.unknownKey = wrong();
    },
  },
};

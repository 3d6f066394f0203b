/** Ways to spoil one field of a valid call. */
import { Tensor } from "../../lib/index.js";
import { type Candidate, made, OWN } from "./hostile.js";
import type { Fields } from "./valid-calls.js";

/** How a field is spoiled: replaced, one of its elements replaced, or behind a getter with a will of its own. */
export const WAYS: readonly string[] = [
  "value",
  "element",
  "getter throws",
  "getter changes its mind",
  "getter detaches",
  "element detaches",
];

/** Takes a tensor's memory away: its buffer, or on a device the memory itself. */
function detach(value: unknown): void {
  if (!(value instanceof Tensor) || value.disposed) return;
  if (value.device === "cpu") {
    const buffer = value.data.buffer as ArrayBuffer;
    structuredClone(buffer, { transfer: [buffer] });
  } else {
    value.dispose();
  }
}

/** Spoils one of the fields of a valid call. */
export function spoil(fields: Fields, key: string, way: string, candidate: Candidate): void {
  const valid = fields[key];
  const wrong = made(candidate);
  const elements = Array.isArray(valid) ? valid.slice() : undefined;
  const behind = (target: object, name: string | number, get: () => unknown) =>
    Object.defineProperty(target, name, { get, enumerable: true });
  const others = Object.entries(fields).filter(([name]) => name !== key);
  const detachingOthers = (result: unknown) => () => {
    for (const [, value] of others) detach(value);
    return result;
  };
  let reads = 0;
  if (way === "getter throws") {
    behind(fields, key, () => {
      throw OWN;
    });
  } else if (way === "getter changes its mind") {
    behind(fields, key, () => (reads++ === 0 ? valid : wrong));
  } else if (way === "getter detaches") {
    behind(fields, key, detachingOthers(valid));
  } else if (elements && way === "element") {
    fields[key] = [wrong, ...elements.slice(1)];
  } else if (elements && way === "element detaches") {
    fields[key] = behind(elements, 0, detachingOthers(elements[0]));
  } else fields[key] = wrong;
}

/** Options as they were at the first look: the reference reads them as it goes, and a getter may change its mind. */

import { checkObject } from "../core/arguments.js";
import { arrayLength, isArray, isRevoked } from "../core/arrays.js";
import { typedArrayClass } from "../core/typed-array.js";

/** Longer arrays are left as they are: the check of their length refuses them. */
const MOST_COPIED = 2 ** 24;

/**
 * The options with every property and every element of an array read at most once. Typed arrays have no getters, and are
 * the caller's own.
 *
 * @throws PapoError ERR_ARGUMENT for what is no object
 */
export function readOnce<O extends object>(where: string, options: O): O {
  checkObject(where, "options", options);
  return isArray(options) ? options : (once(options) as O);
}

function once(value: unknown): unknown {
  return isArray(value) ? elementsOf(value) : onceNoArray(value);
}

/** Arrays in an array stay as they are: nothing reads further, and they may be without an end. */
function elementsOf(array: readonly unknown[]): readonly unknown[] {
  const length = arrayLength(array);
  if (length === undefined || length > MOST_COPIED) return array;
  return Array.from({ length }, (_, i) => {
    const element = array[i];
    return isArray(element) ? element : onceNoArray(element);
  });
}

function onceNoArray(value: unknown): unknown {
  if (typeof value !== "object" || value === null || isRevoked(value)) return value;
  return typedArrayClass(value) === undefined ? new Proxy({}, firstLook(value)) : value;
}

/** Of an object that is empty by itself, so that no property of it has to agree with the caller's. */
function firstLook(of: object): ProxyHandler<object> {
  const seen = new Map<PropertyKey, unknown>();
  const get = (_: object, key: PropertyKey): unknown => {
    if (!seen.has(key)) seen.set(key, once(Reflect.get(of, key)));
    return seen.get(key);
  };
  return {
    get,
    has: (_, key) => Reflect.has(of, key),
    ownKeys: () => Reflect.ownKeys(of),
    getOwnPropertyDescriptor: (target, key) =>
      Object.hasOwn(of, key)
        ? { value: get(target, key), enumerable: true, configurable: true }
        : undefined,
  };
}

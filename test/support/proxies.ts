/** Proxies that lie, and that are gone. */

/** What is no length of an array, by name; the last throws where it is converted. */
export const LENGTHS: Readonly<Record<string, unknown>> = {
  "2^32": 2 ** 32,
  "2^53": 2 ** 53,
  "minus one": -1,
  "a half": 0.5,
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "a bigint": 2n,
  "a symbol": Symbol("length"),
  "a text": "2",
  nothing: undefined,
  "what throws": {
    valueOf() {
      throw new Error("a length was converted");
    },
  },
};

/** A proxy of an array that says this length; the `from`th time that it is asked, and the truth before. */
export function saysLength<T>(array: readonly T[], length: unknown, from = 1): readonly T[] {
  let asked = 0;
  return new Proxy(array, {
    get: (target, key) => (key === "length" && ++asked >= from ? length : Reflect.get(target, key)),
  });
}

/** A proxy of a value that was revoked. */
export function revoked(value: object): unknown {
  const { proxy, revoke } = Proxy.revocable(value, {});
  revoke();
  return proxy;
}

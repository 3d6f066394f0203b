/** Typed arrays by their internal slots: what a subclass or a forged property says of itself does not count. */

const { prototype } = Object.getPrototypeOf(Uint8Array) as { prototype: object };
const tagOf = Object.getOwnPropertyDescriptor(prototype, Symbol.toStringTag)?.get;
const lengthOf = Object.getOwnPropertyDescriptor(prototype, "length")?.get;

/** Class name of a typed array, else undefined. */
export function typedArrayClass(value: unknown): string | undefined {
  return tagOf?.call(value) as string | undefined;
}

/** Elements of a typed array; 0 once its buffer was detached. */
export function typedArrayLength(value: object): number {
  return lengthOf?.call(value) as number;
}

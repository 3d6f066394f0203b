/** Typed arrays by their internal slots: what a subclass or a forged property says of itself does not count. */

const { prototype } = Object.getPrototypeOf(Uint8Array) as { prototype: object };
const tagOf = Object.getOwnPropertyDescriptor(prototype, Symbol.toStringTag)?.get;
const lengthOf = Object.getOwnPropertyDescriptor(prototype, "length")?.get;
const bufferOf = Object.getOwnPropertyDescriptor(prototype, "buffer")?.get;
const byteOffsetOf = Object.getOwnPropertyDescriptor(prototype, "byteOffset")?.get;
const resizableOf = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, "resizable")?.get;

/** Class name of a typed array, else undefined. */
export function typedArrayClass(value: unknown): string | undefined {
  return tagOf?.call(value) as string | undefined;
}

/** Elements of a typed array; 0 once its buffer was detached. */
export function typedArrayLength(value: object): number {
  return lengthOf?.call(value) as number;
}

/** The buffer it lies in. */
export function typedArrayBuffer(value: object): ArrayBufferLike {
  return bufferOf?.call(value) as ArrayBufferLike;
}

/** The byte of its buffer that it begins at; 0 once that was detached. */
export function typedArrayByteOffset(value: object): number {
  return byteOffsetOf?.call(value) as number;
}

/** Whether a buffer that is not shared may change its length. */
export function isResizable(buffer: ArrayBufferLike): boolean {
  return resizableOf?.call(buffer) === true;
}

/** The same memory in an array of the built-in class itself, whose methods and properties are what they should be. */
export function plainView<A extends object>(value: A): A {
  const Class = globalThis[typedArrayClass(value) as "Float32Array"];
  const length = typedArrayLength(value);
  // Its buffer may be detached, over which no array can be made.
  if (length === 0) return new Class(0) as never;
  return new Class(
    typedArrayBuffer(value) as ArrayBuffer,
    typedArrayByteOffset(value),
    length,
  ) as never;
}

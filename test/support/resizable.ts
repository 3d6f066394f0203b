/** Buffers that may change their length, which the type library of ES2022 does not know. */

type ResizableConstructor = new (
  bytes: number,
  options: { readonly maxByteLength: number },
) => ArrayBuffer;

/** A resizable buffer with room for 64 bytes more than it has. */
export function resizable(bytes: number): ArrayBuffer {
  const Buffer = ArrayBuffer as unknown as ResizableConstructor;
  return new Buffer(bytes, { maxByteLength: bytes + 64 });
}

/** One that says that it is none. */
export function secretlyResizable(bytes: number): ArrayBuffer {
  return Object.defineProperty(resizable(bytes), "resizable", { value: false });
}

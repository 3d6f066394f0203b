/** Distances between floating-point numbers, counted in units in the last place. */

const MANTISSA_BITS = { float32: 24, float64: 53 } as const;

/** The gap between `value` and the next larger number of its size; that of the least normal one below it. */
export function ulpOf(value: number, format: keyof typeof MANTISSA_BITS): number {
  const size = Math.max(Math.abs(value), format === "float32" ? 2 ** -126 : 2 ** -1022);
  const exponent = Math.floor(Math.log2(size));
  // Math.log2 may round up to the next power of two.
  const power = 2 ** exponent > size ? exponent - 1 : exponent;
  return 2 ** (power - MANTISSA_BITS[format] + 1);
}

/** The bytes behind numbers: two results are the same only where these are. */
export function bytesOf(values: ArrayBufferView): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

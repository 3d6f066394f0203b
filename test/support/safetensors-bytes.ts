/** Safetensors files made by hand, right or wrong: a header's text, its length, and bytes behind it. */

/** The 8 bytes of a header's length. */
export function lengthBytes(length: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(length)));
  return bytes;
}

/** A file of this header and data; the length is the header's own where none is said. */
export function safetensorsBytes(
  header: string | Uint8Array,
  data: Uint8Array = new Uint8Array(0),
  length: number | bigint = Buffer.byteLength(header),
): Buffer {
  const text = typeof header === "string" ? Buffer.from(header) : header;
  return Buffer.concat([lengthBytes(length), text, data]);
}

/** An image as a data URL of an uncompressed bitmap: the one picture format that needs no encoder. */

const HEADER = 54;

/** @param image  [size · size · 3], red, green, blue, rows from the top, 0 … 1; size a multiple of 4 */
export function dataUrlOf(image: Float32Array): string {
  const size = Math.sqrt(image.length / 3);
  // Rows of a bitmap are padded to four bytes; these need no padding.
  if (!Number.isInteger(size) || size % 4 !== 0) {
    throw new Error(
      `expected a square image whose side is a multiple of 4, received ${image.length} values`,
    );
  }
  const bytes = Buffer.alloc(HEADER + image.length);
  bytes.write("BM");
  bytes.writeUInt32LE(bytes.length, 2);
  bytes.writeUInt32LE(HEADER, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(size, 18);
  // A negative height says that rows run from the top.
  bytes.writeInt32LE(-size, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(24, 28);
  for (const [at, value] of image.entries()) {
    // Bitmaps hold blue, green, red.
    const channel = at % 3;
    bytes[HEADER + at + 2 - 2 * channel] = Math.round(255 * Math.min(1, Math.max(0, value)));
  }
  return `data:image/bmp;base64,${bytes.toString("base64")}`;
}

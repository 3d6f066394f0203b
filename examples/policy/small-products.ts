/** Products of the small matrices of attention: too many for TensorFlow.js, whose batched product on WASM is slow. */

/** A matrix inside a larger array: where its first value lies, and the steps to the next row and column. */
export interface Block {
  readonly values: Float32Array;
  readonly start: number;
  readonly row: number;
  readonly column: number;
}

/**
 * Adds left · right to result: [rows, inner] · [inner, columns]. The result's columns lie next to each other.
 *
 * Two rows by four columns at a time, so that a value that was read serves several products: three times as fast as
 * one value of the result after another.
 *
 * @param size  rows, columns, inner
 */
export function addProduct(
  left: Block,
  right: Block,
  result: Block,
  size: readonly [number, number, number],
): void {
  const { values: a } = left;
  const { values: b } = right;
  const { values: c } = result;
  // V8 may keep integers that came out of a division as floats, and would compute every index as one.
  const [rows, columns, inner] = [size[0] | 0, size[1] | 0, size[2] | 0];
  const [aStart, aRow, aColumn] = [left.start | 0, left.row | 0, left.column | 0];
  const [bStart, bRow, bColumn] = [right.start | 0, right.row | 0, right.column | 0];
  const [cStart, cRow] = [result.start | 0, result.row | 0];
  const quads = columns - (columns % 4);
  for (let i = 0; i < rows; i += 2) {
    // A last row without a second is its own second, whose sums are dropped.
    const paired = i + 1 < rows;
    const first = aStart + i * aRow;
    const apart = paired ? aRow : 0;
    const to = cStart + i * cRow;
    for (let j = 0; j < quads; j += 4) {
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      let t0 = 0;
      let t1 = 0;
      let t2 = 0;
      let t3 = 0;
      let at = first;
      let from = bStart + j * bColumn;
      for (let k = 0; k < inner; k++) {
        const x = a[at] as number;
        const y = a[at + apart] as number;
        const b0 = b[from] as number;
        const b1 = b[from + bColumn] as number;
        const b2 = b[from + 2 * bColumn] as number;
        const b3 = b[from + 3 * bColumn] as number;
        s0 += x * b0;
        s1 += x * b1;
        s2 += x * b2;
        s3 += x * b3;
        t0 += y * b0;
        t1 += y * b1;
        t2 += y * b2;
        t3 += y * b3;
        at += aColumn;
        from += bRow;
      }
      addFour(c, to + j, s0, s1, s2, s3);
      if (paired) addFour(c, to + cRow + j, t0, t1, t2, t3);
    }
    for (let j = quads; j < columns; j++) {
      let s = 0;
      let t = 0;
      for (let k = 0; k < inner; k++) {
        const value = b[bStart + k * bRow + j * bColumn] as number;
        s += (a[first + k * aColumn] as number) * value;
        t += (a[first + apart + k * aColumn] as number) * value;
      }
      (c[to + j] as number) += s;
      if (paired) (c[to + cRow + j] as number) += t;
    }
  }
}

function addFour(c: Float32Array, at: number, a: number, b: number, d: number, e: number): void {
  (c[at] as number) += a;
  (c[at + 1] as number) += b;
  (c[at + 2] as number) += d;
  (c[at + 3] as number) += e;
}

/** The same values with rows for columns. */
export function turned({ values, start, row, column }: Block): Block {
  return { values, start, row: column, column: row };
}

/** Typed arrays by what they are, not by what they say of themselves. */
import test from "ava";
import {
  isResizable,
  plainView,
  typedArrayBuffer,
  typedArrayByteOffset,
} from "../../lib/core/typed-array.js";
import { secretlyResizable } from "../support/resizable.js";

class Liar extends Float32Array {
  override get buffer(): ArrayBuffer {
    return new ArrayBuffer(0);
  }
  override get byteOffset(): number {
    return 1e6;
  }
}

test("buffer and offset are those of the memory", (t) => {
  const buffer = new ArrayBuffer(32);
  const liar = new Liar(buffer, 8, 4);
  t.is(typedArrayBuffer(liar), buffer);
  t.is(typedArrayByteOffset(liar), 8);
});

test("a buffer cannot hide that it is resizable", (t) => {
  t.true(isResizable(secretlyResizable(8)));
  t.false(isResizable(new ArrayBuffer(8)));
});

test("a plain view is the same memory in an array of the built-in class", (t) => {
  const liar = new Liar(new ArrayBuffer(32), 8, 4);
  const bare = Object.setPrototypeOf(new Float32Array(3), null) as Float32Array;
  const view = plainView(liar);
  view[1] = 5;
  t.is(Object.getPrototypeOf(view), Float32Array.prototype);
  t.deepEqual([view.length, view.byteOffset, liar[1]], [4, 8, 5]);
  t.is(plainView(bare).length, 3);
});

test("of an array without elements it is one, also where the buffer is gone", (t) => {
  const data = new Float64Array(2);
  structuredClone(data.buffer, { transfer: [data.buffer] });
  t.deepEqual(plainView(data), new Float64Array(0));
});

/** What is of another copy of papo is called so; its code does not run for that. */
import test from "ava";
import { describe } from "../../lib/core/errors.js";
import { tensor } from "../../lib/index.js";

/** An object as another copy of papo makes them: the mark of `Tensor`, with another copy's symbol. */
function foreign(): object {
  const mark = { value: { name: "Tensor", copy: Symbol("another") } };
  const prototype = Object.create(null, { [Symbol.for("papo.copy")]: mark });
  return Object.create(prototype);
}

test("a tensor of another copy is called that, one of this copy is not", (t) => {
  t.is(describe(foreign()), "a Tensor of another copy of papo (two are installed: npm ls papo)");
  t.is(describe(tensor([1])), "an object");
});

test("nothing of a stranger's code runs", (t) => {
  const trap = () => {
    throw new Error("ran");
  };
  const proxy = new Proxy({}, { getPrototypeOf: trap, getOwnPropertyDescriptor: trap, get: trap });
  t.is(describe(Object.create(proxy)), "an object");
  t.is(describe(Object.create(null)), "an object");
});

/** Proxies of arrays: what they say of their length is believed only where it is one, and of revoked ones nothing is asked. */
import { readFileSync } from "node:fs";
import test from "ava";
import { arrayLength, isArray, isRevoked, listLength } from "../../lib/core/arrays.js";
import { PapoError, reduceTokens, tensor, tokenKl } from "../../lib/index.js";
import { filesBelow } from "../structure/files.js";
import { LENGTHS, revoked, saysLength } from "../support/proxies.js";

test("a length is an integer that an array can have, whatever a proxy says", (t) => {
  for (const [name, length] of Object.entries(LENGTHS)) {
    t.is(arrayLength(saysLength([1, 2], length)), undefined, name);
    t.is(listLength(saysLength([1, 2], length)), undefined, name);
  }
  t.is(arrayLength(saysLength([1, 2], 2 ** 32 - 1)), 2 ** 32 - 1);
  t.is(listLength(new Proxy([1, 2], {})), 2);
  t.is(arrayLength(new Float32Array(3)), 3);
  t.is(listLength(new Float32Array(3)), undefined);
  t.is(arrayLength({ length: 3 }), undefined);
});

test("nothing is asked of a revoked proxy", (t) => {
  t.true(isRevoked(revoked([])));
  t.true(isRevoked(revoked(() => 1)));
  const throws = () => t.fail("a trap was called");
  t.false(isRevoked(new Proxy({}, { get: throws, getPrototypeOf: throws, has: throws } as never)));
  t.false(isArray(revoked([])));
  t.is(arrayLength(revoked([])), undefined);
});

test("what lies about its length is refused by name", (t) => {
  const refuses = (act: () => unknown, code: string, message: RegExp) =>
    t.throws(act, { instanceOf: PapoError, code, message });
  for (const length of Object.values(LENGTHS)) {
    const lying = saysLength([-1, -2], length);
    refuses(
      () => tensor(lying as number[]),
      "ERR_ARGUMENT",
      /expected data to be an array .* a proxy$/,
    );
    refuses(() => tensor([1, 2], { shape: lying as number[] }), "ERR_SHAPE", /shape .* a proxy$/);
    refuses(
      () => tokenKl({ logProbs: [-1, -2], otherLogProbs: lying as number[] }),
      "ERR_SHAPE",
      /expected otherLogProbs \[2\], received a proxy$/,
    );
  }
  refuses(() => tensor(revoked([1]) as number[]), "ERR_DTYPE", /received a proxy$/);
  refuses(() => reduceTokens(revoked({}) as never), "ERR_ARGUMENT", /received a proxy$/);
});

test("no other file asks for arrays in its own way", (t) => {
  const own = filesBelow("lib").filter((path) =>
    /\bArray\.isArray\(/.test(readFileSync(path, "utf8")),
  );
  t.deepEqual(
    own.map((path) => path.replace(/^.*\blib\//, "")),
    ["adapters/framework-batch.ts", "core/arrays.ts", "core/errors.ts"],
    "the first in a try, the last of what is no proxy",
  );
});

/** Asynchronous evaluations: many at once, one aborted before it begins, one aborted in the middle, and one after them. */
import assert from "node:assert/strict";
import { makeBatch, papo } from "./batch.js";

const small = makeBatch(4, 50);
const expected = papo.evaluate(small).loss;
const several = await Promise.all(Array.from({ length: 8 }, () => papo.evaluateAsync(small)));
for (const { loss } of several) assert.equal(loss, expected);

const reason = new Error("enough");
const before = AbortSignal.abort(reason);
await assert.rejects(papo.evaluateAsync(small, { signal: before }), (error) => error === reason);

const large = makeBatch(256, 16_000);
const controller = new AbortController();
const running = papo.evaluateAsync(large, { signal: controller.signal });
controller.abort(reason);
await assert.rejects(running, (error) => error === reason);

assert.equal((await papo.evaluateAsync(small)).loss, expected);
console.log(JSON.stringify({ ok: true }));

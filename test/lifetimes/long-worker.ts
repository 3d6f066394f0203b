/** A call of seconds: in a worker it is made at once, and others may make a part of it. */
import { isMainThread, parentPort } from "node:worker_threads";
import { tokenStatsAsync, zeros } from "../../lib/index.js";

const [ROWS, VOCAB] = [512, 2 ** 17];

export function long(parts: number): Promise<unknown> {
  // Pages that nobody writes take no memory.
  const logits = zeros([parts * ROWS, VOCAB]);
  return tokenStatsAsync({ logits, tokenIds: new Int32Array(parts * ROWS) });
}

if (!isMainThread) {
  long(8);
  setImmediate(() => parentPort?.postMessage("working"));
}

/** Calls that nobody waits for to the end: minutes of work, most of it in the line. */
import { tensor, tokenStatsAsync } from "../../lib/index.js";

const [ROWS, VOCAB] = [1024, 32768];
const CALLS = 5000;

export function endless(): Promise<unknown> {
  // Pages that nobody writes take no memory.
  const logits = tensor(new Float32Array(ROWS * VOCAB), { shape: [ROWS, VOCAB] });
  const tokenIds = new Int32Array(ROWS);
  return Promise.all(Array.from({ length: CALLS }, () => tokenStatsAsync({ logits, tokenIds })));
}

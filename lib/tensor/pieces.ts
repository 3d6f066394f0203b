/** Large memory of the host in pieces, between which the event loop goes on. */
import { setImmediate } from "node:timers/promises";

/** Bytes that all calls of a thread set or copy in one turn of the event loop: a fraction of a millisecond. */
const BYTES_OF_A_TURN = 2 ** 20;
/** What a run costs besides its bytes, in bytes: rows with gaps between them may be short. */
const COST_OF_A_RUN = 2 ** 12;

/** Runs of bytes of one length. */
export interface Runs {
  readonly rows: number;
  readonly rowBytes: number;
}

let left = BYTES_OF_A_TURN;
let nextTurn: Promise<void> | undefined;

/**
 * Works on every byte of `runs`, never on more of them at once than a turn of the event loop bears; calls take turns.
 *
 * @param work  on some bytes of a run, from `begin` on; what it needs may have gone since the piece before
 * @throws the reason of `signal`, between two pieces
 */
export async function inPieces(
  { rows, rowBytes }: Runs,
  signal: AbortSignal | undefined,
  work: (row: number, begin: number, length: number) => void,
): Promise<void> {
  for (let row = 0; row < rows; row++) {
    for (let begin = 0; begin < rowBytes; ) {
      while (left <= 0) {
        nextTurn ??= turn();
        await nextTurn;
      }
      signal?.throwIfAborted();
      const length = Math.min(rowBytes - begin, left);
      left -= length + COST_OF_A_RUN;
      work(row, begin, length);
      begin += length;
    }
  }
}

async function turn(): Promise<void> {
  await setImmediate();
  left = BYTES_OF_A_TURN;
  nextTurn = undefined;
}

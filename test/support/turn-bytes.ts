/** How many bytes JavaScript writes to typed arrays in one turn of the event loop: what a count can say of its delay. */
const PROTOTYPE = Object.getPrototypeOf(Uint8Array.prototype) as Record<string, Method>;
type Method = (this: Uint8Array, ...args: unknown[]) => unknown;

/** Most bytes that `work` fills, sets, copies or maps in one turn; one at a time, since it watches all of the thread. */
export async function mostBytesOfATurn(work: () => unknown): Promise<number> {
  let [bytes, most] = [0, 0];
  let isOver = false;
  const count = (written: number) => {
    bytes += written;
    most = Math.max(most, bytes);
  };
  const next = () => {
    bytes = 0;
    if (!isOver) setImmediate(next);
  };
  setImmediate(next);
  const undo = ["fill", "set", "slice", "map"].map((name) => watch(name, count));
  try {
    await work();
  } finally {
    isOver = true;
    for (const each of undo) each();
  }
  return most;
}

function watch(name: string, count: (written: number) => void): () => void {
  const method = PROTOTYPE[name] as Method;
  PROTOTYPE[name] = function (...args) {
    const result = Reflect.apply(method, this, args);
    const written = name === "set" ? args[0] : (result as Uint8Array);
    count(ArrayBuffer.isView(written) ? written.byteLength : 0);
    return result;
  };
  return () => {
    PROTOTYPE[name] = method;
  };
}

/** Seeded random numbers: a counter-based hash, and a stream that walks its counter. */

/** Uniform number in [0, 1) that depends on nothing but its arguments (integers, 32 bits of each). */
export function uniformAt(...key: number[]): number {
  return mix(stateOf(key)) / 2 ** 32;
}

/** A stream of uniform numbers: `uniformAt` of its key and a counter. */
export class RandomStream {
  readonly #state: number;
  #counter = 0;

  constructor(...key: number[]) {
    this.#state = stateOf(key);
  }

  /** Uniform in [0, 1). */
  next(): number {
    return mix(extend(this.#state, this.#counter++)) / 2 ** 32;
  }

  /** Uniform integer in 0 … bound − 1. */
  integer(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.integer(items.length)] as T;
  }

  shuffled<T>(items: readonly T[]): T[] {
    const result = [...items];
    for (let last = result.length - 1; last > 0; last--) {
      const other = this.integer(last + 1);
      [result[last], result[other]] = [result[other] as T, result[last] as T];
    }
    return result;
  }
}

function stateOf(key: readonly number[]): number {
  return key.reduce(extend, 0x9e3779b9);
}

function extend(state: number, part: number): number {
  return mix(state ^ mix(part));
}

/** Finaliser of MurmurHash3: every input bit reaches every output bit. */
function mix(value: number): number {
  let bits = (value + 0x9e3779b9) | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

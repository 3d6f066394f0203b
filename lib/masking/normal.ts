/** Normal numbers from uniform ones, with additions, products, quotients and square roots only: the same on any machine. */

/** Polynomials of the middle, of the tails, and of what lies beyond 1.4e-11; constant term first. */
const MIDDLE = [
  [
    3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946,
    45921.95393154987, 67265.7709270087, 33430.57558358813, 2509.0809287301227,
  ],
  [
    1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597,
    39307.89580009271, 28729.085735721943, 5226.495278852854,
  ],
] as const;
const TAIL = [
  [
    1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045,
    1.2704582524523684, 0.2417807251774506, 0.022723844989269184, 0.0007745450142783414,
  ],
  [
    1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008,
    0.015198666563616457, 0.0005475938084995345, 1.0507500716444169e-9,
  ],
] as const;
const FAR = [
  [
    6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487,
    0.026532189526576124, 0.0012426609473880784, 0.000027115555687434876, 2.0103343992922881e-7,
  ],
  [
    1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133,
    0.000018463183175100548, 1.421511758316446e-7, 2.0442631033899397e-15,
  ],
] as const;

/**
 * The standard normal number whose distribution function is u + 2^-54, for u in [0, 1): finite for every multiple of
 * 2^-53, at most 8.3 in size. Relative error below 1e-15 or so.
 *
 * `Math.log` and `Math.cos` may differ in the last bit between machines; none is used.
 *
 * @see M. Wichura, "Algorithm AS 241: the percentage points of the normal distribution" (1988), PPND16
 */
export function normalOf(u: number): number {
  const fromMiddle = u - 0.5 + 2 ** -54;
  if (Math.abs(fromMiddle) <= 0.425) {
    return fromMiddle * quotient(MIDDLE, 0.180625 - fromMiddle * fromMiddle);
  }
  const left = fromMiddle < 0;
  const root = Math.sqrt(-logarithm(left ? u + 2 ** -54 : 1 - u - 2 ** -54));
  const size = root <= 5 ? quotient(TAIL, root - 1.6) : quotient(FAR, root - 5);
  return left ? -size : size;
}

function quotient([above, below]: readonly [readonly number[], readonly number[]], x: number) {
  return polynomial(above, x) / polynomial(below, x);
}

function polynomial(terms: readonly number[], x: number): number {
  return terms.reduceRight((sum, term) => sum * x + term, 0);
}

/** Natural logarithm on (0, 1): the series of artanh after halvings that lose nothing. */
function logarithm(value: number): number {
  let [mantissa, halvings] = [value, 0];
  for (; mantissa < Math.SQRT1_2; halvings++) mantissa *= 2;
  const s = (mantissa - 1) / (mantissa + 1);
  let sum = 0;
  for (let odd = 23; odd >= 1; odd -= 2) sum = sum * s * s + 1 / odd;
  return 2 * s * sum - halvings * Math.LN2;
}

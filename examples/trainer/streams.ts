/** The random streams of a run: first parts of their keys, after the seed. */

/** Each batch has streams of its own, so that a resumed run draws what it would have drawn. */
export const STREAM = {
  problems: 1,
  sampling: 2,
  demonstrations: 3,
  evaluation: 4,
  heldOut: 5,
} as const;

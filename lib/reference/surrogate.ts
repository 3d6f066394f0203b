/** The clipped policy-gradient loss of one token. */
import type { LimitedDifference } from "./divergence.js";

/** Which clip holds a token: none, the ordinary one below or above, or the dual one. */
export const CLIP = { none: 0, low: 1, high: 2, dual: 3 } as const;
export type Clip = (typeof CLIP)[keyof typeof CLIP];

/** Bounds of the ratio. */
export interface ClipBounds {
  /** The ratio is clipped below at 1 − clipLow; in 0…1. */
  readonly clipLow: number;
  /** The ratio is clipped above at 1 + clipHigh; ≥ 0. */
  readonly clipHigh: number;
  /** Bound of the loss for A < 0, in units of |A|; 0 switches it off, otherwise above 1 + clipHigh. */
  readonly clipDual: number;
}

/** Loss of one token, its slope in the log-probability, and the clip that fired. */
export interface Surrogate {
  readonly value: number;
  readonly slope: number;
  readonly clip: Clip;
}

/**
 * −min(r·A, clip(r, 1 − clipLow, 1 + clipHigh)·A), and at most −A·clipDual where A < 0; r = e^logRatio.
 *
 * The slope is −r·A where no clip fires and 0 where one does, or where the limit of the log-ratio binds.
 * At equality the unclipped branch is the active one. An advantage of 0 gives 0.
 *
 * @param logRatio  log-prob − old log-prob of the sampled token, nats, limited
 * @param advantage finite, already normalised
 * @see PPO (arXiv 1707.06347) eq. 7; separate bounds: DAPO (2503.14476); dual clip: 1912.09729
 */
export function clippedSurrogate(
  logRatio: LimitedDifference,
  advantage: number,
  { clipLow, clipHigh, clipDual }: ClipBounds,
): Surrogate {
  const ratio = Math.exp(logRatio.value);
  if (advantage === 0) return { value: 0, slope: 0, clip: CLIP.none };
  if (advantage > 0 && ratio > 1 + clipHigh) {
    return { value: -(1 + clipHigh) * advantage, slope: 0, clip: CLIP.high };
  }
  if (advantage < 0 && ratio < 1 - clipLow) {
    return { value: -(1 - clipLow) * advantage, slope: 0, clip: CLIP.low };
  }
  if (advantage < 0 && clipDual > 0 && ratio > clipDual) {
    return { value: -clipDual * advantage, slope: 0, clip: CLIP.dual };
  }
  const value = -ratio * advantage;
  return { value, slope: logRatio.free ? value : 0, clip: CLIP.none };
}

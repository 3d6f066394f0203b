/** Whether two tensors share memory. */
import type { Tensor } from "./tensor.js";

/** No byte in common, every element in the same place, or anything between. */
export type Overlap = "none" | "same" | "part";

/** How the memory of two tensors of one shape lies to each other. Throws ERR_DISPOSED. */
export function overlapOf(where: string, a: Tensor, b: Tensor): Overlap {
  const [first, second] = [a.span(where, "memory"), b.span(where, "memory")];
  if (first.space !== second.space) return "none";
  if (!(first.begin < second.end && second.begin < first.end)) return "none";
  const same = first.begin === second.begin && a.dtype === b.dtype && a.rowPitch === b.rowPitch;
  return same ? "same" : "part";
}

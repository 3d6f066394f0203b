/** Tensors with memory of their own. */
import type { DType } from "../core/dtype.js";
import { clearRows } from "./copy.js";
import { FRESH, Tensor, type TensorInit } from "./tensor.js";

/**
 * A tensor in fresh memory; its dtype is said.
 *
 * @param zeroed  whether it must be zero; memory of a device is anything otherwise, that of the host is zero anyway
 */
export function freshTensor<D extends DType, R extends number>(
  where: string,
  init: TensorInit & { readonly dtype: D },
  zeroed: boolean,
): Tensor<D, R> {
  const tensor = new Tensor<D, R>(where, FRESH, init);
  if (tensor.device === "cpu" || !zeroed) return tensor;
  try {
    clearRows(where, tensor.toNative(where, "the tensor"));
    return tensor;
  } catch (error) {
    tensor.dispose();
    throw error;
  }
}

/** Tensors with memory of their own. */
import type { Device } from "../core/device.js";
import type { DType } from "../core/dtype.js";
import { clearRows } from "./copy.js";
import { Tensor, type TensorInit } from "./tensor.js";
import { FRESH } from "./tensor-memory.js";

/** Whether fresh memory there is zero before anybody writes to it, and costs nothing until then: that of the host is. */
export function freshIsZero(device: Device): boolean {
  return device === "cpu";
}

/**
 * A tensor in fresh memory; its dtype is said.
 *
 * @param zeroed  whether it must be zero; memory of a device is anything otherwise
 */
export function freshTensor<D extends DType, R extends number>(
  where: string,
  init: TensorInit & { readonly dtype: D },
  zeroed: boolean,
): Tensor<D, R> {
  const tensor = new Tensor<D, R>(where, FRESH, init);
  if (freshIsZero(tensor.device) || !zeroed) return tensor;
  try {
    clearRows(where, tensor.toNative(where, "the tensor"));
    return tensor;
  } catch (error) {
    tensor.dispose();
    throw error;
  }
}

/** Memory that devices and other libraries share with us: page-locked arrays, and tensors over foreign pointers. */
import { binding } from "../addon/load.js";
import { callNative } from "../addon/native-error.js";
import { readOptions } from "../core/arguments.js";
import type { CudaDevice } from "../core/device.js";
import { arrayOver, bytesOf, checkDType, type DType } from "../core/dtype.js";
import { describe, expected } from "../core/errors.js";
import { checkShape, type Shape } from "../core/shape.js";
import { availableDevice, checkDevice } from "../cuda/devices.js";
import { checkPointer } from "../cuda/stream.js";
import type { TensorOptions } from "./create.js";
import { DeviceStorage } from "./storage.js";
import { TENSOR_OPTIONS, Tensor } from "./tensor.js";
import { extentOf, neededLength, roomOf } from "./tensor-checks.js";

/** Options of `pinned`. */
export type PinnedOptions<D extends DType> = Pick<
  TensorOptions<D, Shape>,
  "dtype" | "rowPitch" | "requiresGrad"
>;

/**
 * Zeros on the host in page-locked memory, which CUDA devices copy from and to by themselves: asynchronous copies run at
 * full speed and beside other work. Such memory is taken from everybody's; keep it and use it again.
 *
 * @throws PapoError ERR_DTYPE, ERR_SHAPE, ERR_DEVICE_UNAVAILABLE with the reason, ERR_OUT_OF_MEMORY, ERR_UNSUPPORTED where
 * the runtime allows no such buffers
 */
export function pinned<D extends DType = "float32", const S extends Shape = Shape>(
  shape: S,
  options: PinnedOptions<D> = {},
): Tensor<D, S["length"]> {
  const where = "pinned";
  const sizes = checkShape(where, "shape", shape);
  const given = readOptions(where, options, ["dtype", "rowPitch", "requiresGrad"]);
  const { dtype = "float32" as D } = given;
  checkDType(where, dtype);
  const length = roomOf(extentOf(where, sizes, given.rowPitch));
  checkDevice(where, "cuda:0");
  const buffer = callNative(where, () => binding().allocatePinned(length * bytesOf(dtype)));
  return new Tensor(where, arrayOver(dtype, buffer, length), { ...given, dtype, shape: sizes });
}

/** What a foreign pointer points to. */
export interface DevicePointer<D extends DType, S extends Shape>
  extends Omit<TensorOptions<D, S>, "device"> {
  /** Address of the first element, memory of `device`. Its length is believed: a wrong one ends the process or worse. */
  readonly pointer: bigint;
  readonly shape: S;
  /** Element type. */
  readonly dtype: D;
  /** `"cuda"` if not said. */
  readonly device?: CudaDevice | "cuda";
  /** Whatever must live for the memory to: it is held as long as the tensor, its aliases and calls on them are. */
  readonly owner?: unknown;
}

/**
 * A tensor over memory of a device that another library allocated and will free: nothing is copied, and `dispose()` only
 * lets go of `owner`. `tensor.devicePointer` is the door in the other direction.
 *
 * Ops see what the other library wrote if they run in its stream (`cuda.wrapStream`), or in the default stream where it
 * uses that, or after a wait.
 *
 * @throws PapoError ERR_ARGUMENT for an address that CUDA does not know as memory of the device, ERR_RANGE for one that is
 * not aligned to its elements, ERR_SHAPE, ERR_DTYPE, ERR_DEVICE_UNAVAILABLE with the reason
 */
export function fromDevicePointer<D extends DType, const S extends Shape>(
  options: DevicePointer<D, S>,
): Tensor<D, S["length"]> {
  const where = "fromDevicePointer";
  const given = readOptions(where, options, [...TENSOR_OPTIONS, "pointer", "owner"]);
  const { pointer, owner, dtype, shape, rowPitch, requiresGrad } = given;
  const address = checkPointer(where, pointer);
  const device = availableDevice(where, given.device);
  checkDType(where, dtype);
  const unit = bytesOf(dtype);
  if (address % BigInt(unit) !== 0n) {
    const what = `pointer to be a multiple of ${unit} bytes, the size of ${dtype}`;
    throw expected("ERR_RANGE", where, what, describe(pointer));
  }
  const sizes = checkShape(where, "shape", shape);
  const bytes = neededLength(extentOf(where, sizes, rowPitch)) * unit;
  const memory = DeviceStorage.wrap(where, device, address, bytes, owner);
  return new Tensor(where, memory, { dtype, shape: sizes, rowPitch, device, requiresGrad });
}

/** The memory behind a new tensor: made for it, the caller's, or rows of another tensor's. */
import type { Device } from "../core/device.js";
import { type ArrayOf, allocate, bytesOf, type DType } from "../core/dtype.js";
import type { Shape } from "../core/shape.js";
import { typedArrayLength } from "../core/typed-array.js";
import { copyRows, tensorArgument } from "./copy.js";
import { DeviceStorage, HostStorage } from "./storage.js";
import { checkLength, type Extent, neededLength, roomOf } from "./tensor-checks.js";

/** Where a tensor's numbers lie. */
export type TensorStorage<D extends DType> = HostStorage<D> | DeviceStorage;

/** Stands for memory that is to be made: zeros on the host, uninitialised on a device. */
export const FRESH: unique symbol = Symbol("fresh memory");

/** What is known of a tensor before it has memory. */
interface Facts<D extends DType> extends Extent {
  readonly dtype: D;
  readonly shape: Shape;
  readonly device: Device;
}

/** Memory that is made, or the caller's array; one for a device is copied there. Throws as `Tensor` says. */
export function storageFor<D extends DType>(
  where: string,
  data: unknown,
  facts: Facts<D>,
): TensorStorage<D> {
  const { dtype, device } = facts;
  if (data === FRESH) {
    const length = roomOf(facts);
    return device === "cpu"
      ? new HostStorage<D>(where, "data", allocate(dtype, length))
      : DeviceStorage.allocate(where, device, length * bytesOf(dtype));
  }
  const host = new HostStorage<D>(where, "data", data as ArrayOf<D>);
  checkLength(where, facts, typedArrayLength(data as ArrayOf<D>));
  if (device === "cpu") return host;
  const storage = DeviceStorage.allocate(where, device, neededLength(facts) * bytesOf(dtype));
  const { rows, columns, rowPitch } = facts;
  const from = tensorArgument(host.data(where, "data"), 0, dtype, rows, columns, rowPitch);
  try {
    copyRows(where, from, { ...from, ...storage.native(where, "data"), device });
    return storage;
  } catch (error) {
    storage.dispose();
    throw error;
  }
}

/** Rows `start` to `end` of a tensor's memory, for another one. All of them are all of the memory, its last gap too. */
export function rowsOfStorage<D extends DType>(
  where: string,
  storage: TensorStorage<D>,
  { dtype, rows, columns, rowPitch }: Facts<D>,
  [start, end]: readonly [start: number, end: number],
): ArrayOf<D> | DeviceStorage {
  const begin = end === start ? 0 : start * rowPitch;
  const length = neededLength({ rows: end - start, columns, rowPitch });
  const isWhole = end - start === rows;
  if (storage instanceof HostStorage) {
    return isWhole
      ? storage.data(where, "the tensor")
      : (storage.plain(where, "the tensor").subarray(begin, begin + length) as ArrayOf<D>);
  }
  const unit = bytesOf(dtype);
  const [first, last] = isWhole ? [0, storage.bytes] : [begin * unit, (begin + length) * unit];
  return storage.view(where, "the tensor", [first, last]);
}

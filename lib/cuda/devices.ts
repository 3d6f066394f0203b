/** The CUDA devices of this process, and how much memory they have left. */
import type { NativeCudaInfo, NativeDeviceInfo, NativeMemoryInfo } from "../addon/binding.js";
import { binding } from "../addon/load.js";
import { callNative } from "../addon/native-error.js";
import { type CudaDevice, type Device, parseCudaDevice } from "../core/device.js";
import { PapoError } from "../core/errors.js";

/** A CUDA device: its name in papo and by its maker, and its sizes. */
export interface DeviceInfo extends Omit<NativeDeviceInfo, "device"> {
  /** Its name in papo, such as "cuda:0". */
  readonly device: CudaDevice;
}

/** Bytes of a device's memory, those of every process on it counted. */
export type MemoryInfo = NativeMemoryInfo;

/** What the engine found when it first looked; it does not look again. */
let found: NativeCudaInfo | undefined;

function cudaInfo(): NativeCudaInfo {
  found ??= binding().info().cuda;
  return found;
}

/** The devices, in the order of their index; none where CUDA is not there, and `info().cuda.unavailable` says why. */
export function devices(): readonly DeviceInfo[] {
  return cudaInfo().devices.map((device) => ({ ...device }) as DeviceInfo);
}

/**
 * Free and total memory of a device, bytes.
 *
 * @throws PapoError ERR_ARGUMENT, ERR_DEVICE_UNAVAILABLE with the reason
 */
export function memory(device: CudaDevice | "cuda" = "cuda"): MemoryInfo {
  const where = "cuda.memory";
  const name = availableDevice(where, device);
  return callNative(where, () => binding().memoryInfo(name));
}

/** Reads the name of a CUDA device, the first if none is said, and throws unless it is there. */
export function availableDevice(where: string, device: unknown): CudaDevice {
  const name = parseCudaDevice(where, device);
  checkDevice(where, name);
  return name;
}

/** Throws ERR_DEVICE_UNAVAILABLE, with the reason, unless the device is there. */
export function checkDevice(where: string, device: Device): void {
  if (device === "cpu") return;
  const { devices, unavailable } = cudaInfo();
  if (devices.some((one) => one.device === device)) return;
  const names = devices.map((one) => one.device).join(", ");
  const reason = unavailable || `there ${devices.length === 1 ? "is" : "are"} only ${names}`;
  throw new PapoError("ERR_DEVICE_UNAVAILABLE", `[${where}] ${device} is not available: ${reason}`);
}

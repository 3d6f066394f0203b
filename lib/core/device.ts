/** Devices: where a tensor's memory lies. */
import { describe, expected } from "./errors.js";

/** `"cuda:0"`, a CUDA device by index. */
export type CudaDevice = `cuda:${number}`;
/** `"cpu"`, or a CUDA device; where one is asked for, `"cuda"` means `"cuda:0"`. */
export type Device = "cpu" | CudaDevice;

/** Reads a device name; throws ERR_ARGUMENT for anything else. */
export function parseDevice(where: string, value: unknown): Device {
  if (value === undefined || value === "cpu") return "cpu";
  const device = cudaDevice(value);
  if (device !== undefined) return device;
  const what = 'device to be "cpu", "cuda" or "cuda:INDEX"';
  throw expected("ERR_ARGUMENT", where, what, describe(value));
}

/** The same where only CUDA devices will do; the first one if none is said. */
export function parseCudaDevice(where: string, value: unknown): CudaDevice {
  const device = value === undefined ? "cuda:0" : cudaDevice(value);
  if (device !== undefined) return device;
  throw expected("ERR_ARGUMENT", where, 'device to be "cuda" or "cuda:INDEX"', describe(value));
}

/** One name per device: no leading zeros, so that names may be compared. */
function cudaDevice(value: unknown): CudaDevice | undefined {
  if (value === "cuda") return "cuda:0";
  const named = typeof value === "string" && /^cuda:(0|[1-9]\d{0,2})$/.test(value);
  return named ? (value as CudaDevice) : undefined;
}

/** Devices: where a tensor's memory lies. */
import { describe, expected } from "./errors.js";

/** `"cpu"`, or a CUDA device by index; `"cuda"` means `"cuda:0"`. */
export type Device = "cpu" | `cuda:${number}`;

/** Reads a device name; throws ERR_ARGUMENT for anything else. */
export function parseDevice(where: string, value: unknown): Device {
  if (value === undefined || value === "cpu") return "cpu";
  if (value === "cuda") return "cuda:0";
  if (typeof value === "string" && /^cuda:\d{1,3}$/.test(value)) return value as Device;
  throw expected(
    "ERR_ARGUMENT",
    where,
    'device to be "cpu", "cuda" or "cuda:INDEX"',
    describe(value),
  );
}

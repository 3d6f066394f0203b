/**
 * What `cuda` holds: devices, streams, events. Memory on a device is a tensor's.
 *
 * @packageDocumentation
 */

export { currentStream, withStream } from "./current.js";
export { type DeviceInfo, devices, type MemoryInfo, memory } from "./devices.js";
export { Event } from "./event.js";
export {
  Stream,
  synchronize,
  synchronizeAsync,
  type WrapStreamOptions,
  wrapStream,
} from "./stream.js";

/** Events: marks in the order in which a device works, with the time at which it passed them. */
/// <reference lib="esnext.disposable" preserve="true" />
import type { NativeEvent } from "../addon/binding.js";
import { endAfterUse, inDeviceTurn } from "../addon/device-turns.js";
import { binding } from "../addon/load.js";
import { callNative, callNativeAsync } from "../addon/native-error.js";
import type { CudaDevice } from "../core/device.js";
import { describe, expected } from "../core/errors.js";
import { nativeStream } from "./current.js";
import { availableDevice } from "./devices.js";
import { checkStream, type Stream, streamFor } from "./stream.js";

/**
 * A mark in a stream, and the time at which the device passed it.
 *
 * It orders streams, tells whether work is done, and takes times.
 */
export class Event {
  /** The device whose streams it is recorded on. */
  readonly device: CudaDevice;
  /** Gone once it was disposed of. */
  #native: NativeEvent | undefined;

  /** @throws PapoError ERR_ARGUMENT, ERR_DEVICE_UNAVAILABLE with the reason, ERR_CUDA */
  constructor(device: CudaDevice | "cuda" = "cuda") {
    const where = "cuda.Event";
    this.device = availableDevice(where, device);
    this.#native = callNative(where, () => binding().createEvent(this.device));
    Object.defineProperty(this, "device", { writable: false, configurable: false });
  }

  /** An event is what has a native one. */
  static [Symbol.hasInstance](value: unknown): value is Event {
    return typeof value === "object" && value !== null && #native in value;
  }

  /**
   * Puts the mark behind the work that the stream has; a later record moves it.
   *
   * @param stream  of the event's device; if not said the one in force there, else the default stream
   * @throws PapoError ERR_ARGUMENT, ERR_DEVICE_MISMATCH, ERR_DISPOSED, ERR_CUDA
   */
  record(stream?: Stream): void {
    const where = "cuda.Event.record";
    const native = this.toNative(where);
    const into = streamFor(where, this.device, stream) ?? nativeStream(where, this.device);
    callNative(where, () => binding().recordEvent(native, into));
  }

  /**
   * Makes what `stream` is given from now on wait for the mark; this thread goes on.
   *
   * @param stream  of any device; if not said the one in force on the event's device, else its default stream
   */
  wait(stream?: Stream): void {
    const where = "cuda.Event.wait";
    const native = this.toNative(where);
    if (stream !== undefined) checkStream(where, stream);
    const waiting = stream?.toNative(where) ?? nativeStream(where, this.device);
    callNative(where, () => binding().waitEvent(waiting, native));
  }

  /** Whether the device has passed the mark; true for an event that was never recorded. */
  get done(): boolean {
    const where = "cuda.Event.done";
    const native = this.toNative(where);
    return callNative(where, () => binding().queryEvent(native));
  }

  /** Waits until the device has passed the mark. */
  synchronize(): void {
    const where = "cuda.Event.synchronize";
    const native = this.toNative(where);
    callNative(where, () => binding().synchronizeEvent(native));
  }

  /** The same off the event loop. */
  async synchronizeAsync(): Promise<void> {
    const where = "cuda.Event.synchronizeAsync";
    const native = this.toNative(where);
    const wait = () => binding().synchronizeEventAsync(native);
    await inDeviceTurn([native], () => callNativeAsync(where, wait));
  }

  /**
   * Milliseconds from `begin` to this event, as the device counted them.
   *
   * @throws PapoError ERR_ARGUMENT where one of them was never recorded, was not passed yet, or is another device's
   */
  elapsedSince(begin: Event): number {
    const where = "cuda.Event.elapsedSince";
    const native = this.toNative(where);
    checkEvent(where, "begin", begin);
    return callNative(where, () => binding().elapsed(begin.toNative(where), native));
  }

  /** Whether it was disposed of. */
  get disposed(): boolean {
    return this.#native === undefined;
  }

  /** Lets go of the event; every later use throws ERR_DISPOSED. */
  dispose(): void {
    const native = this.#native;
    this.#native = undefined;
    if (native !== undefined) endAfterUse(native, () => binding().destroyEvent(native));
  }

  /** `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /**
   * The event as it crosses the bridge. Throws ERR_DISPOSED.
   *
   * @internal
   */
  toNative(where: string): NativeEvent {
    checkEvent(where, "the event", this);
    if (this.#native !== undefined) return this.#native;
    throw expected("ERR_DISPOSED", where, "the event to be alive", "a disposed event");
  }
}

function checkEvent(where: string, name: string, event: unknown): void {
  if (event instanceof Event) return;
  throw expected("ERR_ARGUMENT", where, `${name} to be a cuda.Event`, describe(event));
}

/** The devices of these tests, and batches whose logits lie on one. */
import { setImmediate } from "node:timers/promises";
import { binding } from "../../lib/addon/load.js";
import {
  type CudaDevice,
  cuda,
  type Device,
  type LogitsDType,
  PapoError,
  Tensor,
} from "../../lib/index.js";
import { type EngineBatch, engineBatch } from "../ops/engine-batch.js";
import type { BatchOptions } from "../support/inputs.js";

export const DEVICE: CudaDevice = "cuda:0";
export const OTHER: CudaDevice = "cuda:1";

/** The same tensor, pitch included, on a device. */
export function onDevice<D extends LogitsDType, R extends number>(
  of: Tensor<D, R>,
  device: Device = DEVICE,
): Tensor<D, R> {
  const { dtype, shape, rowPitch, data } = of;
  return new Tensor("test", data, { dtype, shape, rowPitch, device });
}

/** A batch with its logits on the host and, otherwise the same, on the device. */
export function batches(
  options: BatchOptions = {},
  dtype: LogitsDType = "float32",
): { host: EngineBatch; device: EngineBatch } {
  const host = engineBatch(options, dtype);
  const { logits, maskedLogits } = host;
  const there = { logits: onDevice(logits), maskedLogits: onDevice(maskedLogits) };
  return { host, device: { ...host, ...there } };
}

/** Collects garbage and lets finalizers run. */
export async function collect(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    (globalThis as { gc?: () => void }).gc?.();
    await setImmediate();
  }
}

/** Bytes of the device that nobody has. */
export function freeBytes(device: CudaDevice = DEVICE): number {
  return cuda.memory(device).freeBytes;
}

type Native =
  | "run"
  | "runAsync"
  | "copy"
  | "copyAsync"
  | "clear"
  | "recordEvent"
  | "waitEvent"
  | "synchronizeAsync"
  | "synchronizeEventAsync";
type Call = (...args: unknown[]) => unknown;

/** Runs `act` with one function of the addon replaced. */
async function replacing(name: Native, make: (native: Call) => Call, act: () => unknown) {
  const addon = binding() as unknown as Record<string, Call>;
  const native = addon[name] as Call;
  addon[name] = make(native);
  try {
    const result = act();
    // No turn for other tests while the function is replaced, unless `act` itself takes one.
    return result instanceof Promise ? await result : result;
  } finally {
    addon[name] = native;
  }
}

/** Arguments of the calls that `act` makes of one function of the addon. */
export async function callsOf(name: Native, act: () => unknown): Promise<unknown[][]> {
  const calls: unknown[][] = [];
  const noting =
    (native: Call): Call =>
    (...args) => {
      calls.push(args);
      return native(...args);
    };
  await replacing(name, noting, act);
  return calls;
}

/** The name of the op that a call of `run` or `runAsync` asked for. */
export function opOf([index]: readonly unknown[]): string | undefined {
  return binding().info().ops[index as number]?.name;
}

/** Runs `act` while one function of the addon fails, as a device may at any time. */
export async function whileFailing(name: Native, act: () => unknown): Promise<unknown> {
  const failing = (): Call => () => {
    throw Object.assign(new Error("[native] the device fell off the bus"), { code: "ERR_CUDA" });
  };
  return await replacing(name, failing, act);
}

/** What an act throws or rejects with, code and sentence; undefined if nothing. */
export async function failure(act: () => unknown): Promise<[string, string] | undefined> {
  try {
    await act();
    return undefined;
  } catch (error) {
    if (error instanceof PapoError) return [error.code, error.message];
    throw error;
  }
}

/** Memory for one block of rows: the array that files are read into and written from, and its twin on a device. */
import { type Device, type Logits, type LogitsDType, PapoError, Tensor, zeros } from "../index.js";
import type { LogitsArray } from "../io/batch-file.js";

/** For one set of logits or gradients. On the CPU the array is the tensor; on a device rows are copied there and back. */
export class BlockMemory {
  /** [rows, vocab], bits in a Uint16Array for float16 and bfloat16. */
  readonly array: LogitsArray;
  readonly #dtype: LogitsDType;
  readonly #vocabSize: number;
  readonly #onDevice: Logits | undefined;

  /** @throws PapoError ERR_OUT_OF_MEMORY, ERR_DEVICE_UNAVAILABLE with the reason */
  constructor(dtype: LogitsDType, rows: number, vocabSize: number, device: Device) {
    this.array = newArray(dtype, rows * vocabSize);
    this.#dtype = dtype;
    this.#vocabSize = vocabSize;
    this.#onDevice = device === "cpu" ? undefined : zeros([rows, vocabSize], { dtype, device });
  }

  /** The first rows where ops take them, as they are there. */
  tensor(rows: number): Logits {
    return (this.#onDevice?.sliceRows(0, rows) as Logits | undefined) ?? this.#onHost(rows);
  }

  /** The first rows of the array where ops take them. */
  async upload(rows: number): Promise<Logits> {
    const target = this.tensor(rows);
    if (this.#onDevice) await this.#onHost(rows).toAsync(target.device, { out: target });
    return target;
  }

  /** The first rows as ops left them, in the array. */
  async download(rows: number): Promise<LogitsArray> {
    const host = this.#onHost(rows);
    if (this.#onDevice) await this.tensor(rows).toAsync("cpu", { out: host });
    return host.data as LogitsArray;
  }

  dispose(): void {
    this.#onDevice?.dispose();
  }

  #onHost(rows: number): Logits {
    const shape = [rows, this.#vocabSize];
    const data = this.array.subarray(0, rows * this.#vocabSize);
    return new Tensor("evaluateFile", data, { shape, dtype: this.#dtype }) as Logits;
  }
}

/** Bytes of one element. */
export function bytesOf(dtype: LogitsDType): number {
  return dtype === "float32" ? 4 : 2;
}

function newArray(dtype: LogitsDType, length: number): LogitsArray {
  try {
    return dtype === "float32" ? new Float32Array(length) : new Uint16Array(length);
  } catch (cause) {
    const message = `[evaluateFile] expected memory for ${length} logits at a time, received none: a smaller --block-rows needs less`;
    throw new PapoError("ERR_OUT_OF_MEMORY", message, { cause });
  }
}

/** What must compile of `papo/masking`, and what must not. Checked by `npm run types`. */
import { maskBatch, maskImage, maskImages, type PatchMask } from "../../lib/masking/index.js";

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Same<A, B>): void {}

const key = { seed: 1, step: 1, prompt: 1 };
const size = { layout: "hwc", width: 1, height: 1, channels: 3 } as const;

export function masking(): void {
  const bytes = maskImage({ ...size, data: new Uint8Array(3) }, key);
  same<Uint8Array, (typeof bytes)["data"]>(true);
  same<PatchMask, (typeof bytes)["mask"]>(true);
  const floats = maskImage({ ...size, data: new Float32Array(3) }, { ...key, fill: 0 });
  same<Float32Array, (typeof floats)["data"]>(true);
  // A Buffer's copy is no Buffer.
  const buffer = maskImage({ ...size, data: Buffer.alloc(3) }, key);
  same<Uint8Array, (typeof buffer)["data"]>(true);
  const clamped = maskImages([{ ...size, data: new Uint8ClampedArray(3) }], { seed: 1, step: 1 });
  same<Uint8ClampedArray, (typeof clamped)[number]["data"]>(true);
  const rows = maskBatch(
    { layout: "patch-rows", data: new Float64Array(1), gridThw: [[1, 2, 2]] },
    { seed: 1, step: 1, fill: 0 },
  );
  same<Float64Array, (typeof rows)["data"]>(true);

  // @ts-expect-error a layout is one of three
  maskImage({ ...size, layout: "rgb", data: new Uint8Array(3) }, key);
  // @ts-expect-error float16 bits would be taken for integers
  maskImage({ ...size, data: new Uint16Array(3) }, key);
  // @ts-expect-error the prompts of many images
  maskImages([], { seed: 1, step: 1, prompt: 1 });
  // @ts-expect-error a mask cannot be changed
  bytes.mask.masked = 3;
}

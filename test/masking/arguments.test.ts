/** Bad input at the doors of masking: a sentence that names the argument, never a crash, and no half-written image. */
import test from "ava";
import fc from "fast-check";
import { PapoError } from "../../lib/index.js";
import {
  applyPatchMask,
  attentionSaliency,
  drawPatchMask,
  maskBatch,
  maskImage,
  maskImages,
  maskUniforms,
  normalizedFill,
  philox4x32,
  resizePatchMask,
} from "../../lib/masking/index.js";
import { CANDIDATES, errorOf, made } from "../support/hostile.js";
import { MASKING_CALLS } from "../support/masking-calls.js";
import { picture, planar } from "./pictures.js";

type Verb = (...values: unknown[]) => unknown;
const call = (verb: unknown, ...values: unknown[]): unknown => (verb as Verb)(...values);

const KEY = { seed: 1, step: 1, prompt: 1 };
const SIZE = { width: 28, height: 28 };
const image = () => picture(28, 28);
const mask = () => drawPatchMask(SIZE, KEY);

const PATCH_ROWS = { data: new Float32Array(8), layout: "patch-rows", channels: 1, patchSize: 2 };
/** Edges around every pixel of an image of 4097 × 4097. */
const EDGES = Int32Array.from({ length: 4098 }, (_, i) => i);
const FINE = { width: 4097, height: 4097, columnEdges: EDGES, rowEdges: EDGES };

const SENTENCES: readonly (readonly [act: () => unknown, message: string])[] = [
  [() => call(maskImage), "[maskImage] expected options to be an object, received undefined"],
  [
    () => call(maskImage, image(), { ...KEY, ratio: 0.6 }),
    '[maskImage] expected options to hold only strategy, maskRatio, saliency, patches, patchSize, grid, border, offset, alignedTo, fill, noise, inPlace, seed, step, uniforms, prompt, imageIndex, received "ratio"',
  ],
  [
    () => call(maskImage, image(), {}),
    "[maskImage] expected a seed and a step, or uniforms, to draw from, received none",
  ],
  [
    () => call(maskImage, image(), { seed: 1, prompt: 1 }),
    "[maskImage] expected step to be an integer in 0…2^32 − 1, received undefined",
  ],
  [
    () => call(maskImage, image(), { seed: 1, step: 1 }),
    "[maskImage] expected prompt to be an integer in 0…2^32 − 1, received undefined",
  ],
  [
    () => call(maskImage, image(), { ...KEY, seed: 2 ** 53 }),
    "[maskImage] expected seed to be an integer in 0…2^53 − 1, received 9007199254740992",
  ],
  [
    () => call(maskImage, image(), { ...KEY, uniforms: [0.5] }),
    "[maskImage] expected either uniforms or a seed and a step, received both",
  ],
  [
    () => call(maskImage, image(), { uniforms: [0.5, 0.5, 0.5] }),
    "[maskImage] expected uniforms to hold more than 3 numbers, received no more",
  ],
  [
    () => call(maskImage, image(), { uniforms: [0.5, 1] }),
    "[maskImage] expected uniforms[1] to be a number in [0, 1), received 1",
  ],
  [
    () => call(maskImage, image(), { uniforms: () => Number.NaN }),
    "[maskImage] expected uniforms() to be a number in [0, 1), received NaN",
  ],
  [
    () => call(maskImage, image(), { uniforms: "0.5" }),
    '[maskImage] expected uniforms to be a function or an array of numbers, received "0.5"',
  ],
  [
    () => call(maskImage, image(), { ...KEY, maskRatio: 60 }),
    "[maskImage] expected maskRatio to be a number from 0 to 1, received 60",
  ],
  [
    () => call(maskImage, image(), { ...KEY, strategy: "random" }),
    '[maskImage] expected strategy to be one of bernoulli, exact-count, saliency, given, received "random"',
  ],
  [
    () => call(maskImage, image(), { strategy: "saliency" }),
    '[maskImage] expected saliency with strategy "saliency", received none',
  ],
  [
    () => call(maskImage, image(), { ...KEY, saliency: [1] }),
    '[maskImage] expected no saliency without strategy "saliency", received strategy "bernoulli"',
  ],
  [
    () => call(maskImage, image(), { strategy: "saliency", saliency: [1, 2, 3] }),
    "[maskImage] expected saliency to be an array of 4 numbers, one for each patch, received an array of 3",
  ],
  [
    () => call(maskImage, image(), { strategy: "saliency", saliency: [1, 2, Number.NaN, 4] }),
    "[maskImage] expected saliency[2] to be a number, received NaN",
  ],
  [
    () => call(maskImage, image(), { strategy: "given", patches: [0, 1, 2, 1] }),
    "[maskImage] expected patches[2] to be 0 or 1, received 2",
  ],
  [
    () => call(maskImage, image(), { strategy: "given", patches: [0, 1, 1, 1], maskRatio: 0.6 }),
    '[maskImage] expected no maskRatio where the strategy is "given", received 0.6',
  ],
  [
    () => call(maskImage, image(), { ...KEY, patchSize: 14.5 }),
    "[maskImage] expected patchSize to be an integer in 1…1048576, received 14.5",
  ],
  [
    () => call(maskImage, image(), { ...KEY, patchSize: 14, grid: [2, 2] }),
    "[maskImage] expected either grid or patchSize, border and offset, received both",
  ],
  [
    () => call(maskImage, image(), { ...KEY, offset: [14, 0] }),
    "[maskImage] expected offset[0] to be an integer in 0…13, received 14",
  ],
  [
    () => call(maskImage, image(), { ...KEY, offset: [0, "7"] }),
    '[maskImage] expected offset[1] to be an integer in 0…13, received "7"',
  ],
  [
    () => call(drawPatchMask, { width: 8192, height: 4096 }, { ...KEY, patchSize: 1 }),
    "[drawPatchMask] expected at most 16777216 patches, received 8192 × 4096",
  ],
  [
    () => call(maskImage, image(), { ...KEY, patchSize: [14, 10], alignedTo: 14 }),
    "[maskImage] expected rows of patches to lie on multiples of 14 pixels, received one that ends at 10",
  ],
  [
    () => call(maskImage, { ...image(), rowPitch: "84" }, KEY),
    '[maskImage] expected image.rowPitch to be an integer from 84 up, received "84"',
  ],
  [
    () => call(maskImage, image(), { ...KEY, patchSize: 29, border: "exclude" }),
    "[maskImage] expected the image to hold a whole patch, or the border to be included, received 28 × 28 pixels",
  ],
  [
    () => call(maskImage, image(), { ...KEY, patchSize: 10, alignedTo: 14 }),
    "[maskImage] expected columns of patches to lie on multiples of 14 pixels, received one that ends at 10",
  ],
  [
    () => call(maskImage, image(), { ...KEY, fill: 256 }),
    "[maskImage] expected fill to be an integer in 0…255, received 256",
  ],
  [
    () => call(maskImage, image(), { ...KEY, fill: [0, 0] }),
    "[maskImage] expected fill to be a number or an array of 3 numbers, one per channel, received an array of 2",
  ],
  [
    () => call(maskImage, planar(image()), { ...KEY, fill: 1e39 }),
    "[maskImage] expected fill to be a finite number, received 1e+39",
  ],
  [
    () => call(maskImage, image(), { ...KEY, fill: 0, noise: { std: 1 } }),
    "[maskImage] expected either fill or noise, received both",
  ],
  [
    () => call(maskImage, image(), { ...KEY, noise: { std: -1 } }),
    "[maskImage] expected noise.std to be a finite number from 0 up, received -1",
  ],
  [
    () => call(maskImage, { ...image(), layout: "rgb" }, KEY),
    '[maskImage] expected image.layout to be one of hwc, chw, patch-rows, received "rgb"',
  ],
  [
    () => call(maskImage, { ...image(), data: new Uint16Array(2352) }, KEY),
    "[maskImage] expected image.data to be a Uint8Array, Uint8ClampedArray, Float32Array or Float64Array, received Uint16Array of 2352 elements",
  ],
  [
    () => call(maskImage, { ...image(), width: 27 }, KEY),
    "[maskImage] expected image.data to hold 2268 elements, received Uint8Array of 2352 elements",
  ],
  [
    () => call(maskImage, { ...image(), rowPitch: 85 }, KEY),
    "[maskImage] expected image.data to hold at least 2379 elements, received Uint8Array of 2352 elements",
  ],
  [
    () => call(maskImage, { ...image(), planePitch: 2000 }, KEY),
    '[maskImage] expected image to hold only data, layout, width, height, channels, rowPitch, received "planePitch"',
  ],
  [
    () => call(maskImage, { ...image(), gridThw: [1, 2, 2] }, KEY),
    '[maskImage] expected image to hold only data, layout, width, height, channels, rowPitch, received "gridThw"',
  ],
  [
    () => call(maskImages, [image(), image()], { seed: 1, step: 1, prompts: [1] }),
    "[maskImages] expected prompts to be an array of 2 integers, one for each image, received an array of 1",
  ],
  [
    () => call(maskImages, image(), { seed: 1, step: 1 }),
    "[maskImages] expected images to be an array of images, received an object",
  ],
  [
    () => call(maskImages, new Array(2 ** 32 - 1), { seed: 1, step: 1 }),
    "[maskImages] expected images[0] to be an object, received undefined",
  ],
  [
    () => call(maskBatch, { ...image(), count: 2 }, { seed: 1, step: 1 }),
    "[maskBatch] expected batch.data to hold 4704 elements, received Uint8Array of 2352 elements",
  ],
  [
    () => call(maskBatch, { ...image(), count: 0 }, { seed: 1, step: 1 }),
    "[maskBatch] expected batch.count to be 1 or more, received 0",
  ],
  [
    () => call(maskBatch, { ...image(), count: 2, imagePitch: 2351 }, { seed: 1, step: 1 }),
    "[maskBatch] expected imagePitch from 2352 up, received 2351",
  ],
  [
    () => call(maskBatch, { ...PATCH_ROWS, gridThw: 3 }, { seed: 1, step: 1 }),
    "[maskBatch] expected batch.gridThw to be an array of [frames, rows, columns], received 3",
  ],
  [
    () => call(maskBatch, { ...PATCH_ROWS, gridThw: [] }, { seed: 1, step: 1 }),
    "[maskBatch] expected batch.gridThw to be an array of [frames, rows, columns], received an array of 0",
  ],
  [
    () => call(resizePatchMask, { ...mask(), ...FINE }, { width: 28, height: 28 }),
    "[resizePatchMask] expected at most 16777216 patches, received 16785409",
  ],
  [
    () => call(applyPatchMask, image(), { ...mask(), rowEdges: Int32Array.of(0, 14, 29) }),
    "[applyPatchMask] expected mask.rowEdges[2] to be in 14…28, received 29",
  ],
  [
    () => call(applyPatchMask, image(), { ...mask(), patches: new Uint8Array(3) }),
    "[applyPatchMask] expected mask.patches to be an array of 4, one for each patch, received Uint8Array of 3 elements",
  ],
  [
    () => call(applyPatchMask, image(), mask(), { noise: { std: 1 } }),
    "[applyPatchMask] expected a seed and a step, or uniforms, to draw from, received none",
  ],
  [
    () => call(resizePatchMask, mask(), { width: 0, height: 3 }),
    "[resizePatchMask] expected width to be an integer in 1…1048576, received 0",
  ],
  [
    () => call(attentionSaliency, { layers: [new Float32Array(10)], tokens: 3 }),
    "[attentionSaliency] expected layers[0] to be an array of [heads, 3, 3] numbers, received Float32Array of 10 elements",
  ],
  [
    () => call(attentionSaliency, { layers: [new Float32Array(9).fill(Number.NaN)], tokens: 3 }),
    "[attentionSaliency] expected layers[0][4] to be a finite number, received NaN",
  ],
  [
    () => call(attentionSaliency, { layers: [[1, 1, 1, 1, "1", 1, 1, 1, 1]], tokens: 3 }),
    '[attentionSaliency] expected layers[0][4] to be a finite number, received "1"',
  ],
  [
    () =>
      call(maskImage, image(), { ...KEY, strategy: "saliency", saliency: [1, Number.NaN, 1, 1] }),
    "[maskImage] expected saliency[1] to be a number, received NaN",
  ],
  [
    () => call(maskImage, { ...image(), rowPitch: 83 }, KEY),
    "[maskImage] expected image.rowPitch to be an integer from 84 up, received 83",
  ],
  [
    () => call(maskImage, image(), { ...KEY, strategy: "saliency", saliency: [1, "1", 1, 1] }),
    '[maskImage] expected saliency[1] to be a number, received "1"',
  ],
  [
    () => call(attentionSaliency, { layers: [[1]], tokens: 1 }),
    "[attentionSaliency] expected tokens to be more than 1 before patches, received 1",
  ],
  [
    () => call(normalizedFill, { mean: [0.5], std: [0] }),
    "[normalizedFill] expected std[0] to be a positive number, received 0",
  ],
  [
    () => call(maskUniforms, { seed: 1, step: 1 }),
    "[maskUniforms] expected prompt to be an integer in 0…2^32 − 1, received undefined",
  ],
  [
    () => call(philox4x32, [0, 0, 0, 2 ** 32], [0, 0]),
    "[philox4x32] expected counter[3] to be an integer in 0…2^32 − 1, received 4294967296",
  ],
];

for (const [act, message] of SENTENCES) {
  test(message, (t) => {
    t.throws(act, { instanceOf: PapoError, message });
  });
}

/** Every place in the arguments, their own entries included. */
function placesOf(values: readonly unknown[]): readonly (readonly (string | number)[])[] {
  return values.flatMap((value, i) => [
    [i],
    ...(typeof value === "object" && value !== null
      ? Object.keys(value).map((key) => [i, key])
      : []),
  ]);
}

for (const [title, [verb, valid]] of Object.entries(MASKING_CALLS)) {
  test(`${title}: any value anywhere gives a result or a sentence`, async (t) => {
    t.is(await errorOf(() => verb(...valid())), undefined, "the call itself is right");
    const places = placesOf(valid());
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...places), CANDIDATES, async ([i, key], candidate) => {
        const values = valid();
        const value = made(candidate);
        if (key === undefined) values[i as number] = value;
        else (values[i as number] as Record<string, unknown>)[key] = value;
        await errorOf(() => verb(...values));
      }),
      { numRuns: 150, includeErrorInReport: true },
    );
    t.pass();
  });
}

test("a source that takes the image away while it draws is noticed", (t) => {
  const victim = image();
  let drawn = 0;
  const uniforms = () => {
    if (drawn++ === 2) structuredClone(victim.data.buffer, { transfer: [victim.data.buffer] });
    return 0.5;
  };
  t.throws(() => maskImage(victim, { uniforms, inPlace: true }), {
    code: "ERR_SHAPE",
    message:
      /expected image.data to hold at least 2352 elements, received Uint8Array of 0 elements/,
  });
});

test("a source that takes a batch away between two images is noticed", (t) => {
  const data = new Uint8Array(2 * 2352).fill(9);
  let drawn = 0;
  const uniforms = () => {
    if (drawn++ === 6) structuredClone(data.buffer, { transfer: [data.buffer] });
    return 0.5;
  };
  t.throws(() => maskBatch({ ...image(), data, count: 2 }, { uniforms, inPlace: true }), {
    code: "ERR_SHAPE",
    message:
      /expected batch.data to hold at least 4704 elements, received Uint8Array of 0 elements/,
  });
});

test("a source that throws leaves an image in place as it was", (t) => {
  const before = image();
  const victim = image();
  const uniforms = () => {
    throw new Error("mine");
  };
  t.throws(() => maskImage(victim, { uniforms, inPlace: true }), { message: "mine" });
  t.deepEqual(victim.data, before.data);
});

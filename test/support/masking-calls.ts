/** A valid call of every verb of `papo/masking`, for tests that spoil one of its arguments. */
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
import { picture } from "../masking/pictures.js";

type Verb = (...values: unknown[]) => unknown;

const KEY = { seed: 1, step: 1, prompt: 1 };
const SIZE = { width: 28, height: 28 };
const image = () => picture(28, 28);
const mask = () => drawPatchMask(SIZE, KEY);

const OPTIONS: Readonly<Record<string, unknown>> = {
  ...KEY,
  imageIndex: 0,
  patchSize: [5, 6],
  border: "include",
  offset: [1, 2],
  alignedTo: 1,
  strategy: "exact-count",
  maskRatio: 0.5,
  noise: { std: 3, mean: [1, 2, 3] },
  inPlace: false,
};
/** By name: the verb, and fresh arguments. */
export const MASKING_CALLS: Readonly<Record<string, readonly [Verb, () => unknown[]]>> = {
  maskImage: [maskImage as Verb, () => [{ ...image(), rowPitch: 84 }, { ...OPTIONS }]],
  "maskImage of patch rows": [
    maskImage as Verb,
    () => {
      const data = new Float32Array(4 * 3 * 2 * 196);
      return [
        {
          data,
          layout: "patch-rows",
          gridThw: [1, 2, 2],
          channels: 3,
          patchSize: 14,
          mergeSize: 2,
          temporalPatchSize: 2,
        },
        { uniforms: () => 0.5, fill: [1, 2, 3] },
      ];
    },
  ],
  "maskImage by saliency": [
    maskImage as Verb,
    () => [image(), { strategy: "saliency", grid: [2, 2], saliency: [1, 2, 3, 4], fill: 3 }],
  ],
  maskImages: [
    maskImages as Verb,
    () => [
      [image(), image()],
      {
        seed: 1,
        step: 1,
        prompts: [1, 2],
        imageIndices: [0, 1],
        strategy: "given",
        patches: [
          [0, 1, 1, 0],
          [1, 1, 1, 1],
        ],
      },
    ],
  ],
  maskBatch: [
    maskBatch as Verb,
    () => [
      { ...image(), count: 1, imagePitch: 2352 },
      { seed: 1, step: 1 },
    ],
  ],
  drawPatchMask: [drawPatchMask as Verb, () => [{ ...SIZE }, { ...KEY, patchSize: 9 }]],
  applyPatchMask: [
    applyPatchMask as Verb,
    () => [image(), { ...mask() }, { ...KEY, noise: { std: 2 }, inPlace: true }],
  ],
  resizePatchMask: [resizePatchMask as Verb, () => [{ ...mask() }, { width: 5, height: 6 }]],
  attentionSaliency: [
    attentionSaliency as Verb,
    () => [{ layers: [new Array(9).fill(0.1)], tokens: 3, prefixTokens: 1 }],
  ],
  normalizedFill: [normalizedFill as Verb, () => [{ mean: [0.5, 1], std: [1, 2], value: [1, 1] }]],
  maskUniforms: [maskUniforms as Verb, () => [{ ...KEY, imageIndex: 1 }]],
  philox4x32: [
    philox4x32 as Verb,
    () => [
      [1, 2, 3, 4],
      [5, 6],
    ],
  ],
};

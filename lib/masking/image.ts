/** Images as they lie in memory: interleaved, planar, or as rows of encoder patches. */

/** What pixels may be stored in. */
export type PixelArray = Uint8Array | Uint8ClampedArray | Float32Array | Float64Array;

/** The class a copy has: a subclass of the caller's (a Buffer, say) becomes the class it extends. */
export type Plain<A extends PixelArray> = A extends Float32Array
  ? Float32Array
  : A extends Float64Array
    ? Float64Array
    : A extends Uint8ClampedArray
      ? Uint8ClampedArray
      : Uint8Array;

/** "hwc": interleaved, [height, width, channels]. "chw": planar, [channels, height, width]. */
export interface RasterImage<A extends PixelArray = PixelArray> {
  /** The values, whatever their scale is. */
  readonly data: A;
  /** "hwc": interleaved. "chw": planar. */
  readonly layout: "hwc" | "chw";
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
  /** Any number: 1 grey, 3 RGB, 4 RGBA, … */
  readonly channels: number;
  /** Elements from one row of pixels to the next; width · channels (hwc) or width (chw). What lies between is kept. */
  readonly rowPitch?: number | undefined;
  /** Elements from one channel to the next, "chw" only; height · rowPitch. */
  readonly planePitch?: number | undefined;
}

/**
 * "patch-rows": the flattened pixel_values of Qwen2-VL, Qwen2.5-VL and Qwen3-VL, one row per encoder patch.
 * A row is [channels, temporalPatchSize, patchSize, patchSize]; rows go by frames, then by blocks of
 * mergeSize × mergeSize patches, row-major, and row-major within a block. Frames share one mask.
 */
export interface PatchRowsImage<A extends PixelArray = PixelArray> {
  /** The values, normalised as the processor left them. */
  readonly data: A;
  /** Marks the layout. */
  readonly layout: "patch-rows";
  /** [frames, rows, columns] of patches: the image's entry of `image_grid_thw`. */
  readonly gridThw: readonly [frames: number, rows: number, columns: number];
  /** 3 */
  readonly channels?: number | undefined;
  /** 14; 16 for Qwen3-VL. */
  readonly patchSize?: number | undefined;
  /** 2 */
  readonly mergeSize?: number | undefined;
  /** 2 */
  readonly temporalPatchSize?: number | undefined;
}

/** An image in one of the layouts that are known. */
export type Image<A extends PixelArray = PixelArray> = RasterImage<A> | PatchRowsImage<A>;

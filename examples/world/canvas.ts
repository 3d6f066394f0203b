/** A small grey picture to paint on, with as much noise as is asked for. */
import type { RandomStream } from "../random.js";
import type { ColourName } from "./vocabulary.js";

/** Pixels. */
export const IMAGE_SIZE = 32;
/** Pixels; a policy sees 4 × 4 patches. */
export const PATCH_SIZE = 8;

type Rgb = readonly [number, number, number];

const COLOURS: Readonly<Record<ColourName | "white", Rgb>> = {
  red: [0.9, 0.12, 0.12],
  green: [0.12, 0.8, 0.2],
  blue: [0.2, 0.3, 0.95],
  yellow: [0.95, 0.85, 0.12],
  white: [0.95, 0.95, 0.95],
};
/** Not black: a patch that was blackened must not look like an empty one. */
const BACKGROUND = 0.4;
/** How far the noisiest picture goes: ± of a pixel's channel, of the background, share of a colour's light, specks. */
const MOST = { pixel: 0.22, background: 0.05, shade: 0.3, specks: 6 } as const;

/** Whether the point (x, y), in pixels from the top left corner with pixel centres at integers, is painted. */
export type Region = (x: number, y: number) => boolean;

/**
 * One picture in the making. A noise of 0 gives flat colours at exact places, so that what is drawn decides every
 * pixel; towards 1 things move by a pixel, colours darken, specks appear and every channel of every pixel shakes.
 */
export class Canvas {
  readonly #noise: number;
  readonly #random: RandomStream;
  /** [IMAGE_SIZE · IMAGE_SIZE · 3] */
  readonly #image = new Float32Array(IMAGE_SIZE * IMAGE_SIZE * 3);

  constructor(noise: number, random: RandomStream) {
    this.#noise = noise;
    this.#random = random;
    this.#image.fill(BACKGROUND + this.#shake(MOST.background));
  }

  /** By how many pixels to move a thing: −1, 0 or 1, more often 0 the less noise there is. */
  nudge(): number {
    return Math.round(this.#shake(1.49));
  }

  /** Paints a region in one colour, which noise darkens. */
  fill(colour: ColourName | "white", region: Region): void {
    const light = 1 - MOST.shade * this.#noise * this.#random.next();
    for (let y = 0; y < IMAGE_SIZE; y++) {
      for (let x = 0; x < IMAGE_SIZE; x++) {
        if (region(x, y)) this.#set(x, y, colour, light);
      }
    }
  }

  /** The picture, row-major RGB in 0…1, with its specks and the noise of its pixels. */
  finished(): Float32Array {
    if (this.#noise === 0) return this.#image;
    const specks = Math.floor(this.#noise * this.#random.next() * (MOST.specks + 1));
    for (let speck = 0; speck < specks; speck++) this.#speck();
    return this.#image.map((value) => Math.min(1, Math.max(0, value + this.#shake(MOST.pixel))));
  }

  /** A distraction: two by two pixels of some colour, too small to be a thing. */
  #speck(): void {
    const names = ["red", "green", "blue", "yellow", "white"] as const;
    const colour = this.#random.pick(names);
    const left = this.#random.integer(IMAGE_SIZE - 1);
    const top = this.#random.integer(IMAGE_SIZE - 1);
    for (const [x, y] of [
      [0, 0],
      [1, 0],
      [0, 1],
      [1, 1],
    ] as const) {
      this.#set(left + x, top + y, colour, 1);
    }
  }

  #set(x: number, y: number, colour: keyof typeof COLOURS, light: number): void {
    COLOURS[colour].forEach((value, channel) => {
      this.#image[(y * IMAGE_SIZE + x) * 3 + channel] = value * light;
    });
  }

  /** Uniform in ±most · noise. */
  #shake(most: number): number {
    return most * this.#noise * (2 * this.#random.next() - 1);
  }
}

/** The region of a rectangle of whole pixels. */
export function rectangle(left: number, top: number, width: number, height: number): Region {
  return (x, y) => x >= left && x < left + width && y >= top && y < top + height;
}

/** The region of a disc, in pixels. */
export function disc(centreX: number, centreY: number, radius: number): Region {
  return (x, y) => (x - centreX) ** 2 + (y - centreY) ** 2 <= radius ** 2;
}

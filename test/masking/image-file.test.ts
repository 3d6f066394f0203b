/** Image files, where the optional package sharp is installed; what is said where it is not. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";
import test from "ava";
import { maskImage, readImage, writeImage } from "../../lib/masking/index.js";
import { picture } from "./pictures.js";

/** In a variable, so that its types need not be there. */
const PACKAGE = "sharp";

function isInstalled(): boolean {
  try {
    createRequire(import.meta.url).resolve(PACKAGE);
    return true;
  } catch {
    return false;
  }
}

const isThere = isInstalled();
const withSharp = isThere ? test : test.skip;
const withoutSharp = isThere ? test.skip : test;

/** A PNG file of unfiltered rows: colour type 0 grey, 2 RGB, 3 palette, 6 RGBA. */
function png(
  width: number,
  depth: number,
  colour: number,
  rows: readonly (readonly number[])[],
  palette: readonly number[] = [],
): Uint8Array {
  const chunk = (name: string, body: Uint8Array) => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(body.length);
    const named = Buffer.concat([Buffer.from(name), body]);
    const tail = Buffer.alloc(4);
    tail.writeUInt32BE(crc32(named));
    return Buffer.concat([head, named, tail]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(rows.length, 4);
  header[8] = depth;
  header[9] = colour;
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", header),
    ...(palette.length > 0 ? [chunk("PLTE", Uint8Array.from(palette))] : []),
    chunk("IDAT", deflateSync(Uint8Array.from(rows.flatMap((row) => [0, ...row])))),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

const KINDS: readonly (readonly [string, Uint8Array, readonly number[]])[] = [
  ["RGB", png(2, 8, 2, [[1, 2, 3, 250, 0, 9]]), [1, 2, 3, 250, 0, 9]],
  [
    "a palette whose entry 0 is red",
    png(2, 8, 3, [[0, 1]], [255, 0, 0, 4, 5, 6]),
    [255, 0, 0, 4, 5, 6],
  ],
  ["grey", png(2, 8, 0, [[7, 200]]), [7, 7, 7, 200, 200, 200]],
  ["16 bits", png(1, 16, 2, [[128, 7, 255, 255, 0, 9]]), [128, 255, 0]],
  ["RGBA", png(2, 8, 6, [[1, 2, 3, 0, 4, 5, 6, 128]]), [1, 2, 3, 4, 5, 6]],
];

for (const [kind, file, pixels] of KINDS) {
  withSharp(`a PNG of ${kind} is read as RGB of 8 bits`, async (t) => {
    const image = await readImage(file);
    t.deepEqual([...image.data], [...pixels]);
    t.is(image.channels, 3);
    t.is(image.layout, "hwc");
  });
}

withSharp("a masked image that is written as PNG is read back byte for byte", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "papo-masking-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const image = picture(57, 43);
  const { data } = maskImage(image, { seed: 1, step: 1, prompt: 1 });
  const path = join(folder, "masked.png");
  await writeImage(path, { ...image, data });
  const back = await readImage(path);
  t.deepEqual(back, { ...image, data });
  const planes = new Uint8Array(data.length);
  for (let i = 0; i < 57 * 43; i++)
    for (let c = 0; c < 3; c++) planes[c * 57 * 43 + i] = data[i * 3 + c] as number;
  await writeImage(path, { ...image, data: planes, layout: "chw" });
  t.deepEqual((await readImage(path)).data, data, "planar bytes too");
  await writeImage(path, picture(9, 9, 1));
  t.is((await readImage(path)).data[3], picture(9, 9, 1).data[1]);
});

withSharp("a JPEG is near what was written, its black patches near black", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "papo-masking-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const data = new Uint8Array(64 * 64 * 3).fill(120);
  const image = { data, layout: "hwc", width: 64, height: 64, channels: 3 } as const;
  const masked = maskImage(image, { seed: 1, step: 1, prompt: 1, patchSize: 16 }).data;
  const path = join(folder, "masked.jpg");
  await writeImage(path, { ...image, data: masked }, { quality: 95 });
  const back = await readImage(path);
  const far = masked.filter((value, i) => Math.abs(value - (back.data[i] ?? 0)) > 8);
  t.is(far.length, 0);
});

withSharp("CMYK becomes RGB, so that 0 is black", async (t) => {
  const { default: sharp } = (await import(PACKAGE)) as {
    default: (
      input: Uint8Array,
      options: object,
    ) => {
      toColourspace(name: string): { jpeg(): { toBuffer(): Promise<Uint8Array> } };
    };
  };
  const raw = { width: 16, height: 16, channels: 3 };
  const grey = new Uint8Array(16 * 16 * 3).fill(200);
  const file = await sharp(grey, { raw }).toColourspace("cmyk").jpeg().toBuffer();
  const { data, channels } = await readImage(new Uint8Array(file));
  t.is(channels, 3);
  t.true(data.every((value) => Math.abs(value - 200) < 40));
});

withSharp("what is no image is ERR_FILE, with its name", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "papo-masking-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const path = join(folder, "text.png");
  await writeFile(path, "no image");
  await t.throwsAsync(readImage(path), { code: "ERR_FILE", message: /text\.png cannot be read/ });
  await t.throwsAsync(readImage(join(folder, "none.png")), { code: "ERR_FILE" });
  await t.throwsAsync(readImage(png(2, 8, 0, [[7, 200]]), { maxPixels: 1 }), { code: "ERR_FILE" });
  const nowhere = join(folder, "none", "masked.png");
  await t.throwsAsync(writeImage(nowhere, picture(2, 2)), { code: "ERR_FILE" });
  t.is(await readFile(path, "utf8"), "no image");
});

withoutSharp("without sharp the error says how to get it", async (t) => {
  await t.throwsAsync(readImage("image.png"), {
    code: "ERR_UNSUPPORTED",
    message: /\[readImage\] expected the optional package sharp .*npm install sharp/,
  });
});

test("arguments are checked before sharp is asked for", async (t) => {
  const bad: readonly (readonly [() => Promise<unknown>, string, string])[] = [
    [
      () => readImage(3 as never),
      "ERR_ARGUMENT",
      "[readImage] expected a path or a Uint8Array of bytes, received 3",
    ],
    [
      () => readImage("a.png", { orient: 1 as never }),
      "ERR_ARGUMENT",
      "[readImage] expected orient to be a boolean, received 1",
    ],
    [
      () => readImage("a.png", { maxPixels: 0 }),
      "ERR_RANGE",
      "[readImage] expected maxPixels to be an integer in 1…1099511627776, received 0",
    ],
    [
      () => writeImage("a.gif", picture(1, 1)),
      "ERR_UNSUPPORTED",
      '[writeImage] expected a path that ends in .png, .jpg or .jpeg, received "a.gif"',
    ],
    [
      () => writeImage("a.png", picture(1, 1, 2)),
      "ERR_UNSUPPORTED",
      "[writeImage] expected an image of 1, 3 or 4 channels, received 2",
    ],
    [
      () => writeImage("a.png", { ...picture(1, 1), data: new Float32Array(3) as never }),
      "ERR_DTYPE",
      "[writeImage] expected image.data to hold integers of 8 bits, received Float32Array of 3 elements",
    ],
  ];
  for (const [act, code, message] of bad) await t.throwsAsync(act, { code, message });
});

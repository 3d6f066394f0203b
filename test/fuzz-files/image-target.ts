/** Spoiled pictures: pixels of the size that is said, or ERR_FILE. */
import fc from "fast-check";
import sharp from "sharp";
import { readImage } from "../../lib/masking/index.js";
import { checkError } from "./judge.js";
import { mutations, spoilBytes } from "./mutations.js";
import { Outcomes } from "./outcomes.js";
import type { Target } from "./targets.js";

const outcomes = new Outcomes();

const raw = { width: 24, height: 17, channels: 3 as const };
const picture = () =>
  sharp(Buffer.from(Array.from({ length: 24 * 17 * 3 }, (_, i) => (i * 7919) % 256)), { raw });
const MAKERS = {
  png: () => picture().png(),
  palette: () => picture().png({ palette: true }),
  jpeg: () => picture().jpeg(),
  progressive: () => picture().jpeg({ progressive: true }).withMetadata({ orientation: 6 }),
};
type Kind = keyof typeof MAKERS;
const made = new Map<Kind, Promise<Buffer>>();

/** Made once. */
function file(kind: Kind): Promise<Buffer> {
  const bytes = made.get(kind) ?? MAKERS[kind]().toBuffer();
  made.set(kind, bytes);
  return bytes;
}

export const imageTarget: Target = {
  name: "image",
  share: 0.05,
  outcomes,
  property: () =>
    fc.asyncProperty(
      fc.constantFrom(...(Object.keys(MAKERS) as Kind[])),
      mutations,
      fc.boolean(),
      async (name, list, orient) => {
        const bytes = list.reduce(spoilBytes, await file(name));
        try {
          const { data, width, height } = await readImage(new Uint8Array(bytes), {
            orient,
            maxPixels: 2 ** 16,
          });
          if (data.length !== width * height * 3) throw new Error("not its pixels");
          outcomes.add("read");
        } catch (error) {
          checkError(error, ["ERR_FILE"], "[readImage] ");
          outcomes.add("refused");
        }
      },
    ),
};

/** The world of the example: images of four coloured shapes, questions about them, and who is right. */
import { type RandomStream, uniformAt } from "./random.js";

const SHAPES = ["square", "ring", "triangle", "cross"] as const;
const COLOURS = {
  red: [0.9, 0.15, 0.15],
  green: [0.15, 0.8, 0.2],
  blue: [0.2, 0.3, 0.95],
  yellow: [0.95, 0.85, 0.15],
  white: [0.95, 0.95, 0.95],
} as const;
const COLOUR_NAMES = Object.keys(COLOURS) as (keyof typeof COLOURS)[];
const NUMBERS = ["zero", "one", "two", "three", "four"] as const;
export const KINDS = ["what-is", "what-colour", "where-is", "how-many"] as const;
export type Kind = (typeof KINDS)[number];
/** Fills up the shorter questions. */
const FILLER = "-";
const PLACES = ["top", "bottom", "left", "right"] as const;

/** The words of questions and answers alike; a token id is a place in this list. */
export const VOCABULARY: readonly string[] = [
  "<end>",
  ...KINDS,
  FILLER,
  ...PLACES,
  ...SHAPES,
  ...COLOUR_NAMES,
  ...NUMBERS,
];
export const END = 0;
export const QUESTION_LENGTH = 3;
/** The longest answer: two words and the end token. */
export const ANSWER_LENGTH = 3;

/** Pixels; a scene is a 2×2 grid of cells. */
const CELL_SIZE = 12;
export const IMAGE_SIZE: number = 2 * CELL_SIZE;

interface SceneObject {
  shape: (typeof SHAPES)[number];
  colour: keyof typeof COLOURS;
}
/** Four objects: top left, top right, bottom left, bottom right; each shape occurs once. */
export type Scene = readonly SceneObject[];

/** What the policy is given, and the one right answer. */
export interface Problem {
  scene: Scene;
  /** [IMAGE_SIZE · IMAGE_SIZE · 3] row-major RGB in 0…1 */
  image: Float32Array;
  kind: Kind;
  /** [QUESTION_LENGTH] token ids */
  question: number[];
  /** [2 or 3] token ids, the last one is END */
  answer: number[];
  /** Every answer to this question that some scene could have: the language without the image. */
  plausible: number[][];
}

const tokens = (...words: string[]): number[] => words.map((word) => VOCABULARY.indexOf(word));
const sentence = (...words: string[]): number[] => [...tokens(...words), END];
const placeOf = (cell: number): [string, string] => [
  cell < 2 ? "top" : "bottom",
  cell % 2 === 0 ? "left" : "right",
];
const PLACE_ANSWERS = [0, 1, 2, 3].map((cell) => sentence(...placeOf(cell)));
const OBJECT_ANSWERS = COLOUR_NAMES.flatMap((c) => SHAPES.map((shape) => sentence(c, shape)));

/** What the tokens say, without those that only end or fill. */
export function say(tokenIds: readonly number[]): string {
  const words = tokenIds.filter((id) => id !== END).map((id) => VOCABULARY[id]);
  return words.filter((word) => word !== FILLER).join(" ");
}

/** Draws a problem from the part of the world that is trained on, or from the fifth of all scenes that is held out. */
export function drawProblem(random: RandomStream, heldOut: boolean): Problem {
  let scene: Scene;
  do {
    scene = random
      .shuffled(SHAPES)
      .map((shape): SceneObject => ({ shape, colour: random.pick(COLOUR_NAMES) }));
  } while (isHeldOut(scene) !== heldOut);
  return { scene, image: paint(scene, random), ...ask(scene, random) };
}

/** The split looks at what is in the scene (not at its noise), so no held-out arrangement is ever trained on. */
function isHeldOut(scene: Scene): boolean {
  const key = scene.flatMap(({ shape, colour }) => tokens(shape, colour));
  return uniformAt(...key) < 0.2;
}

function ask(scene: Scene, random: RandomStream): Omit<Problem, "scene" | "image"> {
  const cell = random.integer(4);
  const { shape, colour } = scene[cell] as SceneObject;
  switch (random.integer(4)) {
    case 0:
      return {
        kind: "what-is",
        question: tokens("what-is", ...placeOf(cell)),
        answer: sentence(colour, shape),
        plausible: OBJECT_ANSWERS,
      };
    case 1:
      return {
        kind: "what-colour",
        question: tokens("what-colour", shape, FILLER),
        answer: sentence(colour),
        plausible: COLOUR_NAMES.map((name) => sentence(name)),
      };
    case 2:
      return {
        kind: "where-is",
        question: tokens("where-is", shape, FILLER),
        answer: sentence(...placeOf(cell)),
        plausible: PLACE_ANSWERS,
      };
    default: {
      // Asking for the colour of some object keeps "zero" from being the answer most of the time.
      const asked = random.next() < 0.8 ? colour : random.pick(COLOUR_NAMES);
      const count = scene.filter((object) => object.colour === asked).length;
      return {
        kind: "how-many",
        question: tokens("how-many", asked, FILLER),
        answer: sentence(NUMBERS[count] as string),
        plausible: NUMBERS.map((name) => sentence(name)),
      };
    }
  }
}

export function isRight(problem: Problem, answer: readonly number[]): boolean {
  return isSame(problem.answer, answer);
}

/**
 * The verifiable reward, 0.9 · accuracy + 0.1 · format: the weights of the authors' reward function.
 * Format is 1 for any answer of the right kind, such as some place where a place was asked for; an answer of another
 * kind is not looked at further. Accuracy is the share of right words (the authors' is 0 or 1).
 */
export function reward(problem: Problem, answer: readonly number[]): number {
  if (!problem.plausible.some((other) => isSame(other, answer))) return 0;
  const words = problem.answer.length - 1;
  const right = answer.filter((token, at) => token !== END && token === problem.answer[at]).length;
  return 0.9 * (right / words) + 0.1;
}

function isSame(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((token, at) => token === other[at]);
}

/** Grey noise with the four shapes in it, each moved by up to one pixel and of a slightly varying shade. */
function paint(scene: Scene, random: RandomStream): Float32Array {
  const image = new Float32Array(IMAGE_SIZE * IMAGE_SIZE * 3);
  // Grey, not black: a blackened patch must not look like an empty one.
  for (let at = 0; at < image.length; at++) image[at] = 0.35 + 0.1 * random.next();
  scene.forEach(({ shape, colour }, cell) => {
    const centreX = (cell % 2) * CELL_SIZE + CELL_SIZE / 2 - 0.5 + random.integer(3) - 1;
    const centreY = (cell < 2 ? 0 : CELL_SIZE) + CELL_SIZE / 2 - 0.5 + random.integer(3) - 1;
    const shade = 0.85 + 0.15 * random.next();
    for (let y = 0; y < IMAGE_SIZE; y++) {
      for (let x = 0; x < IMAGE_SIZE; x++) {
        if (!inside(shape, x - centreX, y - centreY)) continue;
        COLOURS[colour].forEach((value, channel) => {
          image[(y * IMAGE_SIZE + x) * 3 + channel] = value * shade;
        });
      }
    }
  });
  return image;
}

/** Whether the point (x, y), in pixels from the centre, y downwards, belongs to the shape. */
function inside(shape: SceneObject["shape"], x: number, y: number): boolean {
  const farX = Math.abs(x);
  const farY = Math.abs(y);
  switch (shape) {
    case "square":
      return Math.max(farX, farY) < 4;
    case "ring":
      return Math.abs(x * x + y * y - 17) < 9;
    case "triangle":
      return farY < 5 && farX < (y + 5) / 2;
    case "cross":
      return Math.max(farX, farY) < 5 && Math.min(farX, farY) < 1.5;
  }
}

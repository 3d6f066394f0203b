/** The policy's forward pass once more, in float64 and one number at a time: token after token, key after key. */
import {
  IMAGE_SIZE,
  PATCH_SIZE,
  QUESTION_LENGTH,
  RESPONSE_LENGTH,
  START,
  VOCABULARY,
} from "../../examples/world/index.js";

export type Weights = ReadonlyMap<string, readonly number[]>;
type Vector = readonly number[];

const PATCHES = (IMAGE_SIZE / PATCH_SIZE) ** 2;
const PIXELS = PATCH_SIZE * PATCH_SIZE * 3;
const WORDS = VOCABULARY.length;
const PREFIX = PATCHES + QUESTION_LENGTH;

/** [RESPONSE_LENGTH][vocabulary] for one prompt and one response. */
export function referenceLogits(
  weights: Weights,
  { width, layers, heads }: { width: number; layers: number; heads: number },
  image: Float32Array,
  question: readonly number[],
  response: readonly number[],
): number[][] {
  const of = (name: string): Vector => weights.get(name)!;
  const row = (name: string, at: number): Vector => of(name).slice(at * width, (at + 1) * width);
  const times = (x: Vector, name: string, bias?: string): number[] => {
    const matrix = of(name);
    const columns = matrix.length / x.length;
    return Array.from({ length: columns }, (_, column) =>
      x.reduce(
        (sum, value, at) => sum + value * matrix[at * columns + column]!,
        bias ? of(bias)[column]! : 0,
      ),
    );
  };

  let tokens: Vector[] = [];
  const perSide = IMAGE_SIZE / PATCH_SIZE;
  for (let patch = 0; patch < PATCHES; patch++) {
    const token = [...row("prefix", PIXELS + WORDS + patch)];
    const table = of("prefix");
    for (let pixel = 0; pixel < PIXELS; pixel++) {
      const [y, x] = [Math.floor(pixel / 3 / PATCH_SIZE), Math.floor(pixel / 3) % PATCH_SIZE];
      const imageY = Math.floor(patch / perSide) * PATCH_SIZE + y;
      const imageX = (patch % perSide) * PATCH_SIZE + x;
      const value = (image[(imageY * IMAGE_SIZE + imageX) * 3 + (pixel % 3)]! - 0.4) * 4;
      for (let at = 0; at < width; at++) token[at]! += value * table[pixel * width + at]!;
    }
    tokens.push(token);
  }
  question.forEach((word, at) => {
    tokens.push(added(row("prefix", PIXELS + word), row("prefix", PIXELS + WORDS + PATCHES + at)));
  });
  for (let place = 0; place < RESPONSE_LENGTH; place++) {
    const read = place === 0 ? START : (response[place - 1] ?? 0);
    tokens.push(added(row("response", read), row("response", WORDS + place)));
  }

  for (let layer = 0; layer < layers; layer++) {
    const normal = tokens.map(normalized);
    const queries = normal.map((x) => times(x, `query${layer}`, `queryBias${layer}`));
    const keys = normal.map((x) => times(x, `key${layer}`));
    const values = normal.map((x) => times(x, `value${layer}`));
    tokens = tokens.map((token, at) => {
      const seen = Math.max(PREFIX, at + 1);
      const mixed: number[] = [];
      for (let head = 0; head < heads; head++) {
        const part = (x: Vector): Vector =>
          x.slice((head * width) / heads, ((head + 1) * width) / heads);
        const query = part(queries[at]!);
        const headValues = values.slice(0, seen).map(part);
        const exps = keys
          .slice(0, seen)
          .map((key) => Math.exp(dot(query, part(key)) / Math.sqrt(width / heads)));
        const total = exps.reduce((sum, value) => sum + value, 0);
        for (let i = 0; i < width / heads; i++) {
          mixed.push(exps.reduce((sum, exp, key) => sum + (exp / total) * headValues[key]![i]!, 0));
        }
      }
      const informed = added(token, times(mixed, `mix${layer}`, `mixBias${layer}`));
      const thoughts = times(normalized(informed), `think${layer}`, `thinkBias${layer}`);
      const active = thoughts.map((value) => Math.max(0, value));
      return added(informed, times(active, `tell${layer}`, `tellBias${layer}`));
    });
  }
  return tokens.slice(PREFIX).map((token) => times(normalized(token), "speak", "speakBias"));
}

function added(a: Vector, b: Vector): number[] {
  return a.map((value, at) => value + b[at]!);
}

function dot(a: Vector, b: Vector): number {
  return a.reduce((sum, value, at) => sum + value * b[at]!, 0);
}

function normalized(x: Vector): number[] {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
  return x.map((value) => (value - mean) / Math.sqrt(variance + 1e-5));
}

/** The words of questions and responses alike; a token id is a place in the vocabulary. */

/** What fills up a question, ends a response, opens and closes a thought, and starts a response. */
const SPECIAL = ["<pad>", "<end>", "<think>", "</think>", "<start>"] as const;
const VERBS = ["add", "count", "compare", "follow"] as const;
/** The largest sum is 4 + 4. */
const NUMBERS = ["0", "1", "2", "3", "4", "5", "6", "7", "8"] as const;
export const COLOUR_NAMES = ["red", "green", "blue", "yellow"] as const;
export type ColourName = (typeof COLOUR_NAMES)[number];
/** Where a line starts and ends. */
export const ROWS = ["top", "middle", "bottom"] as const;
/** Which of two is larger. */
export const SIDES = ["left", "right", "equal"] as const;
/** What lines do on a stretch: none cross, the upper two cross, the lower two cross. */
export const CROSSINGS = ["straight", "upper", "lower"] as const;

export type Word =
  | (typeof SPECIAL)[number]
  | (typeof VERBS)[number]
  | (typeof NUMBERS)[number]
  | ColourName
  | (typeof ROWS)[number]
  | (typeof SIDES)[number]
  | (typeof CROSSINGS)[number];

const WORDS: readonly Word[] = [
  ...SPECIAL,
  ...VERBS,
  ...NUMBERS,
  ...COLOUR_NAMES,
  ...ROWS,
  ...SIDES,
  ...CROSSINGS,
];
export const VOCABULARY: readonly string[] = WORDS;

export const PAD = 0;
export const END = 1;
export const THINK = 2;
export const END_THINK = 3;
/** Comes before a response; no response contains it. */
export const START = 4;

/** Token ids of the longest question: "count red 1 0 0 1". */
export const QUESTION_LENGTH = 6;
/** Token ids of the longest response: a thought of up to four words with its tags, the answer and the end. */
export const RESPONSE_LENGTH = 8;

export function tokens(words: readonly Word[]): number[] {
  return words.map((word) => WORDS.indexOf(word));
}

/** The word of a number of things, 0 … 8. */
export function numberWord(value: number): Word {
  const word = NUMBERS[value];
  if (word === undefined) throw new RangeError(`There is no word for ${value}.`);
  return word;
}

/** Whether a token is a word and not one of the special tokens. */
export function isWord(token: number): boolean {
  return token >= SPECIAL.length && token < WORDS.length;
}

/** What the tokens say: words with spaces between, without what only fills up. */
export function say(ids: readonly number[]): string {
  const spoken = ids.filter((id) => id !== PAD);
  return spoken.map((id) => VOCABULARY[id] ?? `<unknown ${id}>`).join(" ");
}

/** The header's JSON, walked once over its bytes: what the format knows is handed out, nothing else is kept. */
import { printable } from "../core/printable.js";

/** As deep as `serde_json`, which the format's own reader uses, goes by default. */
const MAX_DEPTH = 128;
/** Of a value that is shown in a message. */
const SHOWN_BYTES = 80;

/** Characters by their bytes. */
const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a] as const;
const [OPEN, CLOSE, OPEN_LIST, CLOSE_LIST] = [0x7b, 0x7d, 0x5b, 0x5d] as const;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const WORDS = ["true", "false", "null"];

/** For each byte whether it is one of these characters; none is beyond the end. */
function table(characters: string): Uint8Array {
  const is = new Uint8Array(256);
  for (const byte of Buffer.from(characters)) is[byte] = 1;
  return is;
}
const IS_SPACE = table(" \n\r\t");
const IS_OF_NUMBER = table("+-.0123456789eE");

/**
 * A cursor in JSON text. `JSON.parse` would keep the last of two equal names, turn `1.0`, `-0` and `1e2` into counts, put
 * names that look like numbers first, and build all of a hostile text, in gigabytes and minutes, before anybody looks.
 */
export class HeaderJson {
  readonly #bytes: Buffer;
  readonly #refuse: (received: string) => Error;
  #at = 0;

  /**
   * @param bytes   UTF-8
   * @param refuse  the error for text that is not JSON, from what is there instead
   */
  constructor(bytes: Buffer, refuse: (received: string) => Error) {
    this.#bytes = bytes;
    this.#refuse = refuse;
  }

  /** The character that the next value begins with; "" at the end of the text. */
  next(): string {
    const byte = this.#next();
    return byte === undefined ? "" : String.fromCharCode(byte);
  }

  /** An object: `visit` is called with each name, and takes the value that follows. */
  members(visit: (name: string) => void): void {
    this.#take(OPEN);
    if (this.#takes(CLOSE)) return;
    do {
      const name = this.text();
      this.#take(COLON);
      visit(name);
    } while (this.#takes(COMMA));
    this.#take(CLOSE);
  }

  /** A string. */
  text(): string {
    if (this.#next() !== QUOTE) throw this.#fault("a string");
    const start = this.#at++;
    let escapes = false;
    for (let byte = this.#bytes[this.#at]; byte !== QUOTE; byte = this.#bytes[this.#at]) {
      if (byte === undefined || byte < 0x20) throw this.#fault("the end of a string");
      if (byte === BACKSLASH) {
        escapes = true;
        this.#at++;
      }
      this.#at++;
    }
    this.#at++;
    if (escapes) return this.#unescaped(start);
    return this.#bytes.toString("utf8", start + 1, this.#at - 1);
  }

  /**
   * A list of at most `most` non-negative integers below 2^53, in digits alone; undefined where the value is something
   * else, which is then still the next one.
   */
  counts(most: number): number[] | undefined {
    this.#next();
    const start = this.#at;
    const counts = this.#countsOrNot(most);
    if (counts === undefined) this.#at = start;
    return counts;
  }

  /** The text of the next value, its beginning where it is long, for a message; nothing of it is checked or taken. */
  excerpt(): string {
    this.#next();
    const there = this.#bytes.toString("utf8", this.#at, this.#at + SHOWN_BYTES);
    const { text, isWhole } = valueIn(there);
    if (text === "") throw this.#fault("a value");
    return printable(text) + (isWhole ? "" : "…");
  }

  /** Any value, which is not kept. */
  skip(depth = 1): void {
    if (depth > MAX_DEPTH) throw this.#fault(`at most ${MAX_DEPTH} levels`);
    switch (this.#next()) {
      case OPEN:
        this.members(() => this.skip(depth + 1));
        return;
      case OPEN_LIST:
        this.#at++;
        if (this.#takes(CLOSE_LIST)) return;
        do this.skip(depth + 1);
        while (this.#takes(COMMA));
        this.#take(CLOSE_LIST);
        return;
      case QUOTE:
        this.text();
        return;
      default: {
        const start = this.#at;
        const byte = this.#bytes[start] ?? 0;
        // Most of a long list: one digit.
        if (byte >= 0x30 && byte <= 0x39 && IS_OF_NUMBER[this.#bytes[start + 1] ?? 0] === 0) {
          this.#at++;
          return;
        }
        if (NUMBER.test(this.#digits())) return;
        const there = this.#bytes.toString("latin1", start, start + 5);
        const word = WORDS.find((one) => there.startsWith(one));
        if (word === undefined) throw this.#fault("a value", start);
        this.#at = start + word.length;
      }
    }
  }

  /** Nothing but spaces to the end of the text. */
  end(): void {
    if (this.#next() !== undefined) throw this.#fault("the end of the text");
  }

  #countsOrNot(most: number): number[] | undefined {
    const counts: number[] = [];
    if (!this.#takes(OPEN_LIST)) return undefined;
    if (this.#takes(CLOSE_LIST)) return counts;
    do {
      this.#next();
      const digits = this.#digits();
      if (!/^(?:0|[1-9]\d{0,15})$/.test(digits) || counts.length === most) return undefined;
      if (!Number.isSafeInteger(counts[counts.push(Number(digits)) - 1])) return undefined;
    } while (this.#takes(COMMA));
    return this.#takes(CLOSE_LIST) ? counts : undefined;
  }

  /** The characters of a number, taken. */
  #digits(): string {
    const start = this.#at;
    while (IS_OF_NUMBER[this.#bytes[this.#at] ?? 0] === 1) this.#at++;
    return this.#bytes.toString("latin1", start, this.#at);
  }

  #unescaped(start: number): string {
    let value: string;
    try {
      value = JSON.parse(this.#bytes.toString("utf8", start, this.#at)) as string;
    } catch {
      throw this.#fault("escapes of JSON in a string", start);
    }
    if (/\p{Surrogate}/u.test(value)) throw this.#fault("whole characters", start);
    return value;
  }

  /** The first byte of the next value; undefined at the end. */
  #next(): number | undefined {
    while (IS_SPACE[this.#bytes[this.#at] ?? 0] === 1) this.#at++;
    return this.#bytes[this.#at];
  }

  #takes(byte: number): boolean {
    if (this.#next() !== byte) return false;
    this.#at++;
    return true;
  }

  #take(byte: number): void {
    if (!this.#takes(byte)) throw this.#fault(String.fromCharCode(byte));
  }

  #fault(what: string, at = this.#at): Error {
    const there = this.#bytes.toString("utf8", at, at + 8);
    const found = there === "" ? "it ends" : `there is ${printable(JSON.stringify(there))}`;
    return this.#refuse(`${found} at byte ${at} instead of ${what}`);
  }
}

/** The value that `text` begins with, or all of the text where the value goes on beyond it; no JSON is refused. */
function valueIn(text: string): { readonly text: string; readonly isWhole: boolean } {
  let depth = 0;
  let isInString = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i] as string;
    if (isInString) {
      if (character === "\\") i++;
      else if (character === '"') isInString = false;
    } else if (character === '"') isInString = true;
    else if (depth === 0 && ",]}".includes(character))
      return { text: text.slice(0, i), isWhole: true };
    else if ("[{".includes(character)) depth++;
    else if ("]}".includes(character)) depth--;
  }
  return { text, isWhole: false };
}

/** What may come of a broken file: an error of papo's, in a short sentence that a terminal can be shown. */
import { types } from "node:util";
import { PapoError, type PapoErrorCode } from "../../lib/core/errors.js";

const OBEYED = /(?!\n)[\p{Control}\p{Bidi_Control}\p{Surrogate}\p{Zl}\p{Zp}]/u;
const MOST_CHARACTERS = 2000;

/** Throws where text is long, or has what a terminal obeys. */
export function checkWords(text: string, most: number = MOST_CHARACTERS): void {
  const odd = OBEYED.exec(text);
  if (odd) throw new Error(`${JSON.stringify(odd[0])} in ${JSON.stringify(text)}`);
  if (text.length > most) throw new Error(`${text.length} characters: ${text.slice(0, 200)}`);
}

/** Throws the error on unless it is a PapoError of one of the codes, well said. */
export function checkError(error: unknown, codes: readonly PapoErrorCode[], begin = "["): void {
  if (!(error instanceof PapoError) || !codes.includes(error.code)) throw error;
  checkWords(error.message);
  if (!error.message.startsWith(begin)) throw new Error(`it names no file: ${error.message}`);
}

/** The same for code whose errors are of Node's. */
export function checkNativeError(error: unknown): void {
  if (!types.isNativeError(error) || error instanceof TypeError) throw error;
}

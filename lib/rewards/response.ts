/** What a response has to look like, and the answer in it. */
import { closingBrace } from "./plain-latex.js";

/**
 * The content of the last `\boxed{…}` of a response, braces nested; undefined where there is none, or where the last one
 * is not closed (a response that was cut off has not answered).
 */
export function lastBoxed(response: string): string | undefined {
  const box = "\\boxed";
  for (let at = response.lastIndexOf(box); at >= 0; at = response.lastIndexOf(box, at - 1)) {
    let open = at + box.length;
    while (response[open] === " ") open++;
    if (response[open] !== "{") {
      if (at === 0) break;
      continue;
    }
    const close = closingBrace(response, open);
    return close < 0 ? undefined : response.slice(open + 1, close).trim();
  }
  return undefined;
}

/**
 * Whether a response thinks first and answers in a box: it begins with `<think>`, and behind it follow `</think>`,
 * `\boxed{` and `}`, in this order.
 *
 * @see PAPO authors' examples/reward_function/math.py:21-24, a full match of `<think>.*</think>.*\\boxed\{.*\}.*`
 */
export function hasFormat(response: string): boolean {
  if (!response.startsWith("<think>")) return false;
  let at = "<think>".length;
  for (const mark of ["</think>", "\\boxed{", "}"]) {
    const found = response.indexOf(mark, at);
    if (found < 0) return false;
    at = found + mark.length;
  }
  return true;
}

/**
 * A response without the white space around `<`, `>` and `/`, as the authors prepare it before both rewards
 * (math.py:35: some models write "< think >"). Linear in the length, where their pattern is not.
 */
export function tightened(response: string): string {
  const pieces = response.split(/([<>/])/);
  return pieces
    .map((piece, i) => {
      if (i % 2 === 1) return piece;
      const start = i === 0 ? piece : piece.trimStart();
      return i === pieces.length - 1 ? start : start.trimEnd();
    })
    .join("");
}

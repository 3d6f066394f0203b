/** Text from outside, such as a name out of a file, in messages: a terminal obeys nothing of it. */

/** Controls, what turns the direction of writing, line and paragraph separators, and halves of characters. */
const UNPRINTABLE = /[\p{Control}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Surrogate}\ufeff]/gu;

/** Each of those as its escape in JSON: `\u001b`. */
export function printable(text: string): string {
  return text.replaceAll(UNPRINTABLE, escapeOf);
}

/** The same for text of several lines. */
export function printableLines(text: string): string {
  return text.replaceAll(UNPRINTABLE, (character) =>
    character === "\n" ? character : escapeOf(character),
  );
}

function escapeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

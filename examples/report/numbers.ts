/** Numbers as the report writes them. */
import type { Estimate } from "../experiment/statistics.js";

/** Keeps a number and its unit on one line. */
const SPACE = "\u00a0";

/** "82.1 %" of a fraction. */
export function percent(fraction: number, digits = 1): string {
  return `${minusSign((100 * fraction).toFixed(digits))}${SPACE}%`;
}

/** "82.1 ± 1.2" of fractions, in percent; one seed has no interval. */
export function percentWithin({ mean, halfWidth }: Estimate): string {
  const value = (100 * mean).toFixed(1);
  return Number.isNaN(halfWidth) ? value : `${value} ±${SPACE}${(100 * halfWidth).toFixed(1)}`;
}

/** "+1.2 [−0.3, 2.7]" of a difference of fractions, in points. */
export function points({ mean, low, high }: Estimate): string {
  const value = signed(100 * mean);
  return Number.isNaN(low) ? value : `${value} [${plain(100 * low)}, ${plain(100 * high)}]`;
}

export function signed(value: number, digits = 1): string {
  const text = value.toFixed(digits);
  return Number(text) > 0 ? `+${text}` : plain(value, digits);
}

/** "150 k", "1.2 M". */
export function short(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)}${SPACE}M`;
  return value >= 1e4 ? `${Math.round(value / 1e3)}${SPACE}k` : String(value);
}

/** "1 run", "3 runs". */
export function plural(count: number, noun: string, many: string = `${noun}s`): string {
  return `${count}${SPACE}${count === 1 ? noun : many}`;
}

/** "a, b and c". */
export function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** "3 min", "2 h 5 min". */
export function duration(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  if (minutes < 1) return `${Math.round(seconds)}${SPACE}s`;
  const hours = Math.floor(minutes / 60);
  const rest = `${minutes % 60}${SPACE}min`;
  return hours === 0 ? rest : `${hours}${SPACE}h ${rest}`;
}

export function escaped(text: string): string {
  const names: Record<string, string> = { "&": "amp", "<": "lt", ">": "gt", '"': "quot" };
  return text.replace(/[&<>"]/g, (character) => `&${names[character]};`);
}

function plain(value: number, digits = 1): string {
  return minusSign(value.toFixed(digits));
}

/** A true minus, and none before a zero. */
function minusSign(text: string): string {
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

/** How numbers of a result are written: few digits, always with their unit, never torn from it by the end of a line. */
import type { Machine } from "../result.js";

/** So many significant digits, without an exponent and without trailing zeros cut off: 0.150, 12.3, 1234. */
export function digits(value: number, count = 3): string {
  if (value === 0) return "0";
  const magnitude = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(count)))));
  return value.toFixed(Math.max(0, count - 1 - magnitude));
}

export const percent = (fraction: number): string =>
  `${fraction !== 0 && fraction < 0.00995 ? digits(100 * fraction, 1) : (100 * fraction).toFixed(0)}\u00a0%`;

/** "18×" */
export const times = (ratio: number): string => `${digits(ratio, 2)}×`;

/** "2e-7": of an error nobody needs to know more. */
export const error = (value: number): string => (value === 0 ? "0" : value.toExponential(0));

const SECONDS = [
  [1, "s"],
  [1e-3, "ms"],
  [1e-6, "µs"],
  [1e-9, "ns"],
] as const;

export function duration(seconds: number): string {
  // A little less than one, so that what would be written as 1000 ms is written as 1.00 s.
  const [unit, name] = SECONDS.find(([unit]) => seconds >= 0.9995 * unit) ?? [1e-9, "ns"];
  return `${digits(seconds / unit)}\u00a0${name}`;
}

export const gigabytesPerSecond = (bytesPerSecond: number): string =>
  digits(bytesPerSecond / 1e9, bytesPerSecond < 1e9 ? 2 : 3);

export function memory(bytes: number): string {
  const mebibytes = bytes / 2 ** 20;
  if (mebibytes >= 9999.5) return `${digits(mebibytes / 2 ** 10)}\u00a0GiB`;
  return `${mebibytes >= 10 ? mebibytes.toFixed(0) : mebibytes.toFixed(1)}\u00a0MiB`;
}

/** 151 936 */
export const grouped = (count: number): string =>
  String(count).replace(/\B(?=(\d{3})+$)/g, "\u00a0");

export const plural = (count: number, noun: string): string =>
  `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;

/** What everything was measured on, in one line. */
export function machineLine(machine: Machine, commit: string, date: string): string {
  const { cpu, processors, isa, memoryBytes, node, compiler, versions } = machine;
  return [
    `${cpu} (${plural(processors, "processor")}, ${isa}, ${digits(memoryBytes / 2 ** 30, 2)} GiB)`,
    `Node ${node}`,
    compiler,
    ...Object.entries(versions).map(([name, version]) => `${name} ${version}`),
    `commit ${commit}`,
    date,
  ].join(", ");
}

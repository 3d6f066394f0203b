/**
 * The table of a part, before it is a terminal's or Markdown's. What is the same in all rows goes into the heading, what no
 * row has is left out, notes become footnotes.
 */
import type { Errors, Part, Roofline, Row, Spread } from "../result.js";
import { largestError } from "./compare.js";
import {
  digits,
  duration,
  error,
  gigabytesPerSecond,
  grouped,
  memory,
  percent,
  plural,
  times,
} from "./numbers.js";

export interface Table {
  readonly title: string;
  /** What holds for all rows. */
  readonly heading: string;
  readonly header: readonly string[];
  readonly lines: readonly (readonly string[])[];
  /** Whether a column's cells begin at the left, with the words, or end at the right, with the units. */
  readonly left: readonly boolean[];
  /** Rooflines, absent contenders, footnotes, in sentences. */
  readonly below: readonly string[];
}

interface Column {
  readonly head: string;
  readonly left?: boolean;
  readonly cell: (row: Row) => string;
}

/** Something that a row was measured under: a column where rows differ in it, else a phrase in the heading. */
interface Condition extends Column {
  /** Empty where it goes without saying. */
  readonly phrase: (row: Row) => string;
}

const CONDITIONS: readonly Condition[] = [
  {
    head: "operation",
    left: true,
    cell: ({ operation }) => operation,
    phrase: ({ operation }) => operation,
  },
  {
    head: "outputs",
    left: true,
    cell: ({ outputs }) => (outputs === "none" ? "" : outputs),
    phrase: ({ outputs }) => (outputs === "none" ? "" : `outputs: ${outputs}`),
  },
  {
    head: "dtype",
    left: true,
    cell: ({ dtype }) => dtype,
    phrase: ({ dtype }) => dtype,
  },
  {
    head: "rows",
    cell: ({ rows }) => grouped(rows),
    phrase: ({ rows }) => plural(rows, "row"),
  },
  {
    head: "V",
    cell: ({ vocab }) => grouped(vocab),
    phrase: ({ vocab }) => `V = ${grouped(vocab)}`,
  },
  {
    head: "padding",
    cell: ({ padding }) => percent(padding),
    phrase: ({ padding }) => (padding === 0 ? "" : `${percent(padding)} padding`),
  },
  {
    head: "logits",
    left: true,
    cell: ({ distribution }) => distribution,
    phrase: ({ distribution }) => (distribution === "plain" ? "" : distribution),
  },
  {
    head: "threads",
    cell: ({ threads }) => String(threads),
    phrase: ({ threads }) => plural(threads, "thread"),
  },
  {
    head: "mode",
    left: true,
    cell: ({ mode }) => mode,
    phrase: ({ mode }) => (mode === "sync" ? "" : mode),
  },
  {
    head: "ISA",
    left: true,
    cell: ({ isa }) => isa ?? "",
    phrase: ({ isa }) => (isa === undefined ? "" : `papo on ${isa}`),
  },
];

const ERRORS: readonly (readonly [keyof Errors, string])[] = [
  ["logProb", "log-prob"],
  ["entropy", "entropy"],
  ["kl", "KL"],
  ["loss", "loss"],
  ["gradients", "gradients"],
];

/** With `merged` errors, one column holds the largest of those in nats: for parts too wide for a screen. */
export function tableFrom(
  part: Part,
  { merged = false }: { readonly merged?: boolean } = {},
): Table {
  const { rows } = part;
  const notes = [...new Set(rows.flatMap(({ note }) => note ?? []))];
  const mark = ({ note }: Row) => (note === undefined ? "" : ` [${notes.indexOf(note) + 1}]`);
  // Peers have no instruction set to name, and a forward pass no outputs: an empty cell is no difference.
  const differs = ({ cell }: Condition) =>
    new Set(rows.map(cell).filter((text) => text !== "")).size > 1;
  const name: Condition = {
    head: "",
    left: true,
    cell: (row) => row.label + mark(row),
    // Of what the rest of the heading and the title speak anyway.
    phrase: ({ label }) => (label === "papo" ? "" : label),
  };
  const conditions = [name, ...CONDITIONS];
  const measures = new Set(rows.flatMap(({ relative }) => relative?.to ?? []));
  const ratio = ({ relative, name }: Row) =>
    relative === undefined ? (measures.has(name) ? "1" : "") : times(relative.time.median);
  const columns: Column[] = [
    ...conditions.filter(differs),
    { head: "time", cell: ({ time }) => duration(time.median) },
    { head: "±", cell: ({ time }) => percent(time.spread) },
    { head: "ns/logit", cell: ({ nsPerLogit }) => digits(nsPerLogit) },
    { head: "×", cell: ratio },
    { head: "GB/s", cell: ({ bytesPerSecond }) => gigabytesPerSecond(bytesPerSecond) },
    { head: "of floor", cell: ({ share }) => written(share, percent) },
    { head: "memory", cell: ({ extraBytes }) => written(extraBytes, memory) },
    ...(merged ? [{ head: "Δ nats", cell: (row: Row) => written(largestError(row), error) }] : []),
    ...ERRORS.filter(([key]) => !merged || key === "gradients").map(([key, name]) => ({
      head: `Δ ${name}`,
      cell: ({ errors }: Row) => written(errors?.[key], error),
    })),
  ];
  const filled = columns.filter(({ cell }) => rows.some((row) => cell(row) !== ""));
  return {
    title: part.title,
    heading: conditions
      .filter((condition) => !differs(condition))
      .flatMap(({ phrase }) => rows.map(phrase).find((text) => text !== "") ?? [])
      .join(", "),
    header: filled.map(({ head }) => head),
    left: filled.map(({ left }) => left === true),
    lines: rows.map((row) => filled.map(({ cell }) => cell(row))),
    below: [
      ...part.rooflines.map(rooflineLine),
      ...(measures.size === 0
        ? []
        : [
            "×: time against the row of its kind that has a 1 (per row and column, median of the rounds)",
          ]),
      ...Object.entries(part.absent).map(([name, reason]) => `absent: ${name}: ${reason}`),
      ...notes.map((note, at) => `[${at + 1}] ${note}`),
    ],
  };
}

function rooflineLine({ threads, exponentials, ...memories }: Roofline): string {
  const { read, copy, streamingCopy, twoByTwo, update, write } = memories;
  const bandwidth = (name: string, measured: Spread) =>
    withSpread(`${name} ${gigabytesPerSecond(measured.median)}`, measured);
  const rates = Object.entries(exponentials).map(([isa, rate]) =>
    withSpread(`${isa} ${digits(rate.median / 1e9)}`, rate),
  );
  return (
    `roofline, ${plural(threads, "thread")}: ` +
    [
      bandwidth("read", read),
      bandwidth("copy", copy),
      bandwidth("streaming copy", streamingCopy),
      bandwidth("two reads + two writes", twoByTwo),
      bandwidth("in place", update),
      bandwidth("write", write),
    ].join(", ") +
    ` GB/s; exponentials ${rates.join(", ")} G/s`
  );
}

const withSpread = (text: string, { spread }: Spread): string =>
  `${text}\u00a0±\u00a0${percent(spread)}`;

const written = (value: number | undefined, write: (value: number) => string): string =>
  value === undefined ? "" : write(value);

/** docs/numerics.md: what is float32 and what float64, and the measured errors of bench/results/errors.json. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  BOUNDS,
  isAsked,
  type Quantity,
  type RowErrors,
  TIED_BOUNDS,
} from "../test/support/accuracy.js";
import type { HardRow } from "../test/support/hard-rows.js";
import { blocks, MADE, table } from "./markdown.js";

/** A row of errors.json. */
export interface Measured extends RowErrors {
  readonly isa: string;
  readonly dtype: string;
  readonly vocabSize: number;
  readonly row: HardRow;
}

const QUANTITIES: readonly (readonly [Quantity, name: string, unit: string])[] = [
  ["logProb", "log-prob", "nats"],
  ["entropy", "entropy", "nats"],
  ["kl", "KL", "nats"],
  ["klRelative", "KL of near policies", "of itself"],
  ["merged", "all of them from three parts of the vocabulary", "nats"],
  ["loss", "loss", "nats"],
  ["lossGradient", "gradient of the loss", "of itself"],
  ["statisticsGradient", "gradient of statistics", "of itself"],
];

/** What the rows of the table are like. */
const ROWS: Readonly<Record<HardRow, string>> = {
  plain: "logits around 0, a masked policy that differs mildly",
  far: "a masked policy of its own",
  peaked: "one token has all of the mass but 1e-7, and another one was sampled",
  sure: "the same, and it was sampled: most tokens of a trained policy",
  wide: "a range of ±90: a few tokens share the mass",
  huge: "logits around 10 000, where float32 has steps of 0.001",
  negative: "every logit far below 0",
  holes: "a fifth of the columns −Infinity, in both policies",
  ascending: "from −20 to 20 along the vocabulary",
  flat: "every token about as likely as any other",
  ties: "whole numbers: many tokens share each probability, the largest too",
  oneHot: "a logit that is 100 above all others",
  banned: "all columns but some 30 −Infinity, as in constrained decoding",
  near: "two policies with a KL from 1e-2 down to 1e-12",
};

export function numericsPage(all: readonly Measured[] = stored()): string {
  return `${blocks(
    MADE,
    "# Numerics",
    PRECISION,
    "## What is promised",
    "For float32 logits and a vocabulary of 151 936, tests hold every instruction set to these bounds, on every kind of row below:",
    bounds(all),
    "Every instruction set, dtype and kind of row has closer bounds of its own, 1.25 times the worst of all vocabularies, in `test/support/error-bounds.json`; tests hold three vocabularies to them.",
    "## By instruction set and dtype",
    `Largest error over vocabularies of ${listOf([...new Set(all.map(({ vocabSize }) => vocabSize))].map(grouped))}, and all kinds of rows:`,
    byGroup(all, ["instruction set", "logits"], ({ isa, dtype }) => [isa, dtype]),
    "## By kind of row",
    "float32, every instruction set and vocabulary:",
    byGroup(
      all.filter(({ dtype }) => dtype === "float32"),
      ["rows", ""],
      ({ row }) => [`\`${row}\``, ROWS[row]],
    ),
    "## By vocabulary",
    "float32, every instruction set, all kinds of rows:",
    byGroup(
      all.filter(({ dtype }) => dtype === "float32"),
      ["V"],
      ({ vocabSize }) => [grouped(vocabSize)],
    ),
    REST,
  )}\n`;
}

const PRECISION = `\
float32 where the vocabulary is, float64 where the rows are. Logits become float32 when they are loaded, whatever they are stored as;
the exponentials are float32 and good to 2e-7; sums of 16 and then of a block of 1024 are float32 lanes; everything beyond is
float64, and so are log-probs, entropies, KLs, terms, reductions and the loss. Errors are against float64 from the same stored logits, so
what float16 and bfloat16 lost before is not in them. Gradients are measured in float32; stored in the logits' own dtype they are
rounded once, to 2^-11 of themselves in float16 and 2^-8 in bfloat16.`;

const REST = `\
## What else to know

- **The same bits** for every row's values and gradients: in every run, for any number of threads, called directly, later or bound, in
  place or not, at any alignment and row pitch, and in micro-batches with stated denominators. Blocks of rows (\`begin\`, the command
  line) give the same loss too. The losses of micro-batches add up to the whole's within the rounding of a float64 sum in another
  order: 2n · 2^-53 of the sum of magnitudes of n tokens.
- **Instruction sets** agree to the errors above, not to the bit, in units in the last place of float32 (of 1 nat where a value is
  smaller): log-probs 1, entropies 10, KLs 12; float32 gradients 12 at a batch's largest element, 16-bit ones 1 of their own. Where
  one token has nearly all of a row's mass, and the surrogate is clipped, what is left of the row is some 1 − p: as exact as the rest of
  the batch, but with few digits of its own. avx512_bf16 and avx512 are the same to the bit.
- **Other settings** of a thread, as another addon may leave them behind (subnormals flushed, another rounding, traps), change no bit
  of what is computed on the logits, and are given back. What JavaScript adds up itself, row weights and the loss, rounds as its
  thread is set: one rounding a row.
- **Small KLs** need the two sets of logits side by side: a row whose KL is below 1e-3 is walked once more in a form without
  cancellation. Merged from shards of a vocabulary, such a KL has the error of one pass, 3e-7 nats.
- **Infinities**: a logit of −Infinity contributes nothing and gets gradient 0. KL(policy ‖ masked policy) is Infinity where the
  masked policy has no mass and the policy does; \`exactKlLimit\` bounds it. NaN, +Infinity, and a row of only −Infinity are errors.
- **Gradients that cancel**: a mere difference of two nearly equal policies loses its digits, 1e-5 of itself at a KL of 1e-4. Beside any
  other term that lies below rounding.
- **CUDA**: the same sums with \`ex2.approx\` for the exponential. On a simulated device, where every exponential is off by as much as
  a real one may be (2^-22), entropies stay within 1e-6 nats.

Derivations: [native/math](../native/math/README.md). \`npm run bench:errors\` measures your machine, \`npm run bench:errors:arm64\` NEON under
emulation on x86-64, and \`npm run docs\` renews this page.`;

function bounds(all: readonly Measured[]): string {
  const own = all.filter(({ dtype, vocabSize }) => dtype === "float32" && vocabSize === 151_936);
  return table(
    ["", "bound", "measured", "on"],
    QUANTITIES.map(([quantity, name, unit]) => {
      const { value, row } = worst(own, quantity);
      const bound = BOUNDS[quantity].toExponential(0);
      const tied = TIED_BOUNDS[quantity].toExponential(0);
      const held = tied === bound ? bound : `${bound}, \`ties\` ${tied}`;
      return [`${name}, ${unit}`, held, shown(value), `\`${row}\``];
    }),
    [1, 2],
  );
}

/** A line per group, in the order of the file, and the largest error of each quantity. */
function byGroup(
  all: readonly Measured[],
  header: readonly string[],
  cellsOf: (measured: Measured) => readonly string[],
): string {
  const groups = new Map<string, { cells: readonly string[]; members: Measured[] }>();
  for (const each of all) {
    const cells = cellsOf(each);
    const group = groups.get(cells.join("|")) ?? { cells, members: [] };
    groups.set(cells.join("|"), group);
    group.members.push(each);
  }
  return table(
    [...header, ...QUANTITIES.map(([, name, unit]) => `${name}, ${unit}`)],
    [...groups.values()].map(({ cells, members }) => [
      ...cells,
      ...QUANTITIES.map(([quantity]) => shown(worst(members, quantity).value)),
    ]),
    QUANTITIES.map((_, i) => header.length + i),
  );
}

/** The largest error of a quantity; of near policies only rows that are such, and whose KL float32 can tell from 0. */
function worst(all: readonly Measured[], quantity: Quantity): { value: number; row: string } {
  const its = all.filter((each) => isAsked(quantity, each.row, each));
  return its.reduce(
    (most, each) => (each[quantity] > most.value ? { value: each[quantity], row: each.row } : most),
    { value: Number.NEGATIVE_INFINITY, row: "" },
  );
}

const shown = (value: number): string => (Number.isFinite(value) ? value.toExponential(1) : "");

const grouped = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, "\u00a0");

const listOf = (items: readonly string[]): string =>
  `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;

function stored(): Measured[] {
  const path = fileURLToPath(new URL("../bench/results/errors.json", import.meta.url));
  return JSON.parse(readFileSync(path, "utf8")) as Measured[];
}

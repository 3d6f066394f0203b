/** The figures of one GPU run as tables for people and for README.md. */

interface Variant {
  readonly name: string;
  readonly ms: number;
  readonly spread: number;
  readonly bytes: number;
  readonly gigabytesPerSecond: number;
  readonly floorMs: number;
  readonly shareOfCopy: number;
}

interface TimedShape {
  readonly rows: number;
  readonly vocab: number;
  readonly dtype: string;
  readonly logits: string;
  readonly maskShare: number;
  readonly copyGigabytesPerSecond: number;
  readonly scratchBytes: number;
  readonly variants: readonly Variant[];
}

interface Contender {
  readonly name: string;
  readonly kind: "gradients" | "forward";
  readonly ms?: number;
  readonly spread?: number;
  readonly shareOfCopy?: number;
  readonly extraBytes?: number;
  readonly chunk?: number;
  readonly gradError?: number;
  readonly failed?: string;
}

interface Worst {
  readonly error: number | string;
}

/** What bench/gpu/run.sh writes; a stage that did not run is null. */
export interface GpuResult {
  readonly date: string;
  readonly commit: string;
  readonly mode: string;
  readonly failed: string;
  readonly system: { readonly driver: string; readonly nvcc: string; readonly cpu: string };
  readonly machine: {
    readonly gpu: string;
    readonly multiprocessors: number;
    readonly computeCapability: string;
  };
  readonly correctness: {
    readonly cases: number;
    readonly checks: number;
    readonly failures: number;
    readonly ordinaryLogits: Readonly<
      Record<"logProbs" | "entropies" | "kls" | "gradients", Worst>
    >;
  } | null;
  readonly sanitizer: Readonly<Record<string, { readonly outcome: string } | string>> | null;
  readonly determinism: { readonly repeats: number; readonly differingCases: number } | null;
  readonly timing: { readonly shapes: readonly TimedShape[] } | null;
  readonly peers: {
    readonly torch: string;
    readonly triton: string | null;
    readonly rows: number;
    readonly vocab: number;
    readonly copyGigabytesPerSecond: number;
    readonly contenders: readonly Contender[];
  } | null;
  readonly timingAfterPeers: { readonly shapes: readonly TimedShape[] } | null;
}

export function gpuTable(result: GpuResult): string {
  const { machine, system } = result;
  const parts = [
    `${machine.gpu} (compute capability ${machine.computeCapability}, ${machine.multiprocessors} multiprocessors), ` +
      `driver ${system.driver || "unknown"}, nvcc ${system.nvcc}, commit ${result.commit}, ${result.date}, ` +
      `${result.mode} run${result.failed ? `; FAILED: ${result.failed}` : ""}.`,
    checks(result),
    ...(result.timing?.shapes ?? []).map(shapeTable),
    peersTable(result),
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

function checks({ correctness, determinism, sanitizer }: GpuResult): string {
  const lines: string[] = [];
  if (correctness) {
    const { logProbs, entropies, kls, gradients } = correctness.ordinaryLogits;
    lines.push(
      `- ${correctness.checks - correctness.failures} of ${correctness.checks} checks hold over ${correctness.cases} cases. ` +
        `Worst against float64: log-probs ${short(logProbs)}, entropies ${short(entropies)}, KLs ${short(kls)}, ` +
        `gradients ${short(gradients)} of the row's largest.`,
    );
  }
  if (determinism) {
    lines.push(
      determinism.differingCases === 0
        ? `- ${determinism.repeats} repeats beside other work gave the same bits.`
        : `- Repeats gave other bits in ${determinism.differingCases} cases.`,
    );
  }
  if (sanitizer) {
    const tools = Object.entries(sanitizer).map(([tool, found]) =>
      typeof found === "string" ? `${tool}: ${found}` : `${tool}: ${found.outcome}`,
    );
    lines.push(`- ${tools.join("; ")}.`);
  }
  return lines.join("\n");
}

function shapeTable(shape: TimedShape): string {
  const title =
    `${shape.rows} × ${shape.vocab}, ${shape.dtype}` +
    (shape.logits === "trained" ? "" : `, ${shape.logits} logits`) +
    (shape.maskShare > 0 ? `, ${Math.round(100 * shape.maskShare)} % masked out` : "") +
    `; copy ${Math.round(shape.copyGigabytesPerSecond)} GB/s, scratch ${shape.scratchBytes} bytes`;
  return table(
    [title, "ms", "GB that must move", "GB/s", "floor, ms", "share of copy"],
    shape.variants.map((v) => [
      v.name,
      `${milliseconds(v.ms)} ± ${(100 * v.spread).toFixed(1)} %`,
      (v.bytes / 1e9).toPrecision(3),
      v.gigabytesPerSecond.toFixed(0),
      milliseconds(v.floorMs),
      percent(v.shareOfCopy),
    ]),
  );
}

function peersTable({ peers, timing }: GpuResult): string {
  if (!peers) return "";
  const own = timing?.shapes.find(
    (shape) =>
      shape.rows === peers.rows &&
      shape.vocab === peers.vocab &&
      shape.dtype === "bfloat16" &&
      shape.logits === "trained" &&
      shape.maskShare === 0,
  );
  const mine = (kind: Contender["kind"]) =>
    own?.variants.find(({ name }) => name === (kind === "gradients" ? "fused" : "forward"))?.ms;
  return table(
    [
      `others, torch ${peers.torch}, Triton ${peers.triton ?? "absent"}; copy ${Math.round(peers.copyGigabytesPerSecond)} GB/s`,
      "ms",
      "share of copy",
      "papo is faster by",
      "memory beyond in- and outputs",
    ],
    peers.contenders.map((c) => {
      if (c.ms === undefined) return [c.name, c.failed ?? "failed", "", "", ""];
      const ours = mine(c.kind);
      const chunks =
        c.chunk !== undefined && c.chunk < peers.rows ? `, ${c.chunk} rows at once` : "";
      return [
        `${c.name}${chunks}`,
        `${milliseconds(c.ms)} ± ${(100 * (c.spread ?? 0)).toFixed(1)} %`,
        percent(c.shareOfCopy ?? 0),
        ours === undefined ? "–" : `${(c.ms / ours).toFixed(2)}×`,
        `${((c.extraBytes ?? 0) / 2 ** 20).toFixed(0)} MiB`,
      ];
    }),
  );
}

function table(header: readonly string[], lines: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    row(header),
    row(header.map((_, i) => (i === 0 ? "---" : "---:"))),
    ...lines.map(row),
  ].join("\n");
}

const short = ({ error }: Worst) =>
  typeof error === "number" ? error.toExponential(1) : String(error);
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const milliseconds = (ms: number) => (ms >= 1 ? ms.toFixed(3) : ms.toFixed(4));

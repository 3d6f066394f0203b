/** What a run of the suite leaves behind: `bench/results/*.json`, and what tables and plots are drawn from. */

export interface Spread {
  readonly median: number;
  /** Half of the distance between the quartiles, as a fraction of the median. */
  readonly spread: number;
  readonly samples: number;
}

/** The machine's limits on one number of threads, measured in the same rounds as the part's rows. */
export interface Roofline {
  readonly threads: number;
  /** Bytes read per second: the better of one stream and two in lockstep. */
  readonly read: Spread;
  /** Bytes read plus bytes written per second: memcpy; the same with non-temporal stores; two reads and two non-temporal writes in one loop; in-place update. */
  readonly copy: Spread;
  readonly streamingCopy: Spread;
  readonly twoByTwo: Spread;
  readonly update: Spread;
  /** Bytes written per second, non-temporal. */
  readonly write: Spread;
  /** Exponentials per second from registers, by instruction set measured. */
  readonly exponentials: Readonly<Record<string, Spread>>;
}

export type Operation = "log-probs" | "forward" | "gradients";
export type Outputs = "none" | "given" | "given, zeroed" | "in place" | "its own" | "fresh";
export type Mode = "sync" | "async" | "two callers";

export interface Errors {
  /** Largest |error| against float64, nats; undefined where the contender does not give the quantity. */
  readonly logProb?: number;
  readonly entropy?: number;
  readonly kl?: number;
  readonly loss?: number;
  /** ‖error‖ / ‖gradient‖, Frobenius, both gradients together. */
  readonly gradients?: number;
}

export interface Row {
  readonly part: string;
  /** Unique in its part; stable between runs, so that results can be compared. */
  readonly name: string;
  /** Of the contender, for people; what the fields below say is not repeated. */
  readonly label: string;
  /** "papo" | "papo-composed" | "plain" | "tfjs-cpu" | "tfjs-wasm" | "jax-wasm" | "onnxruntime" | "torch" | "torch-default-allocator" … */
  readonly contender: string;
  readonly operation: Operation;
  readonly rows: number;
  readonly vocab: number;
  readonly dtype: "float32" | "float16" | "bfloat16";
  readonly threads: number;
  readonly isa?: string;
  readonly outputs: Outputs;
  /** Fraction of the rows whose response mask is 0. */
  readonly padding: number;
  readonly mode: Mode;
  /** "plain" unless the part is about others: "denormals" | "masked logits" | "ascending" … */
  readonly distribution: string;
  /** Seconds per evaluation. */
  readonly time: Spread;
  /** Bytes that any implementation must move, and exponentials it must take. */
  readonly bytes: number;
  readonly exponentials: number;
  readonly nsPerLogit: number;
  /** bytes / time. */
  readonly bytesPerSecond: number;
  /** Seconds, from the part's roofline; undefined for peers on another number of threads than measured. */
  readonly floor?: number;
  /** Median over rounds of floor / time, both of the same round: 1 is the machine's limit. */
  readonly share?: number;
  /** Time per row and column over that of another row of the part; the spread is over rounds in which both took part. */
  readonly relative?: { readonly to: string; readonly time: Spread };
  /** Peak resident memory beyond inputs and outputs, bytes; undefined where the system does not tell. */
  readonly extraBytes?: number;
  readonly errors?: Errors;
  /** Such as why it ran at a smaller size. */
  readonly note?: string;
}

export interface Part {
  readonly name: string;
  readonly title: string;
  readonly rooflines: readonly Roofline[];
  readonly rows: readonly Row[];
  /** Contenders that did not take part, with the reason. */
  readonly absent: Readonly<Record<string, string>>;
}

export interface Machine {
  readonly cpu: string;
  readonly processors: number;
  readonly isa: string;
  readonly memoryBytes: number;
  readonly node: string;
  readonly compiler: string;
  /** Versions of the peers that took part. */
  readonly versions: Readonly<Record<string, string>>;
}

export interface BenchResult {
  readonly date: string;
  readonly commit: string;
  readonly machine: Machine;
  readonly parts: readonly Part[];
}

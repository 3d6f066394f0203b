/** The tape: which op made a tensor from which others, and the way back. It knows no op. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Tensor } from "../tensor/tensor.js";
import type { Sink } from "./sink.js";

/** d loss / d output for each output of an op; undefined where none reached it. */
export type Cotangents = readonly (Tensor | undefined)[];
/** For each input of an op where its gradient goes; undefined where none is wanted. */
export type Sinks = readonly (Sink | undefined)[];

/** What an op leaves on the tape. */
export interface Entry {
  readonly inputs: readonly (Tensor | undefined)[];
  readonly outputs: readonly Tensor[];
  /** Turns cotangents of the outputs into gradients of the inputs. */
  readonly vjp: (cotangents: Cotangents, sinks: Sinks) => void;
  /** The same off the event loop, for ops with work enough; without it `vjp` is called. */
  readonly vjpAsync?: (
    cotangents: Cotangents,
    sinks: Sinks,
    signal: AbortSignal | undefined,
  ) => Promise<void>;
}

/** Weak: a history lives as long as the tensors that came of it. */
const makers = new WeakMap<Tensor, Entry>();
/** Bound to the call, not to the thread, so that a noGrad over an await leaves other calls alone. */
const recording = new AsyncLocalStorage<boolean>();

export function isRecording(): boolean {
  return recording.getStore() ?? true;
}

/** Runs `f` with the tape on or off, including what `f` awaits. */
export function withRecording<T>(on: boolean, f: () => T): T {
  return recording.run(on, f);
}

/** Notes how `outputs` came from `inputs`, unless no input requires a gradient or the tape is off. */
export function record(entry: Entry): void {
  if (!isRecording() || !entry.inputs.some((input) => input?.requiresGrad)) return;
  for (const output of entry.outputs) {
    output.requiresGrad = true;
    makers.set(output, entry);
  }
}

/** Whether no op made the tensor, so that a gradient ends there. */
export function isLeaf(tensor: Tensor): boolean {
  return !makers.has(tensor);
}

export interface Step {
  readonly entry: Entry;
  readonly cotangents: Cotangents;
  readonly sinks: Sinks;
}

/**
 * The vjps to be called, in order, between `root` and the leaves; the caller runs each before it asks for the next.
 * `sinkOf` gives the one sink of a tensor, or none for a leaf nobody asks about; that of `root` holds d loss / d root.
 */
export function* stepsBack(
  root: Tensor,
  sinkOf: (tensor: Tensor) => Sink | undefined,
): Generator<Step> {
  for (const entry of entriesBefore(root)) {
    const cotangents = entry.outputs.map((output) => sinkOf(output)?.buffer);
    if (cotangents.every((cotangent) => cotangent === undefined)) continue;
    const sinks = entry.inputs.map((input) => (input?.requiresGrad ? sinkOf(input) : undefined));
    if (sinks.every((sink) => sink === undefined)) continue;
    yield { entry, cotangents, sinks };
  }
}

/** Every entry that `root` came from, each before those that its inputs came from. No recursion: a chain may be long. */
function entriesBefore(root: Tensor): Entry[] {
  const finished: Entry[] = [];
  const seen = new Set<Entry>();
  const open: { entry: Entry; next: number }[] = [];
  const enter = (tensor: Tensor | undefined) => {
    const entry = tensor && makers.get(tensor);
    if (entry === undefined || seen.has(entry)) return;
    seen.add(entry);
    open.push({ entry, next: 0 });
  };
  enter(root);
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    if (top.next < top.entry.inputs.length) enter(top.entry.inputs[top.next++]);
    else finished.push((open.pop() as typeof top).entry);
  }
  return finished.reverse();
}

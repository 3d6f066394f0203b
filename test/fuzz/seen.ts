/** How many calls reached the addon, and how many went through there. */
import { binding } from "../../lib/addon/load.js";

export interface Calls {
  readonly reached: number;
  readonly ran: number;
}

let reached = 0;
let ran = 0;

type Run = (...args: unknown[]) => unknown;

/** Puts a counter before `run` and `runAsync`, once; the library looks them up at every call. */
function count(): void {
  const door = binding() as unknown as Record<"run" | "runAsync", Run>;
  for (const name of ["run", "runAsync"] as const) {
    const run = door[name];
    door[name] = (...args) => {
      reached++;
      const result = run(...args);
      ran++;
      return result;
    };
  }
}
count();

export function callsSeen(): Calls {
  return { reached, ran };
}

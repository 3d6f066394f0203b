/** All scenes, by the names that `npm run stress -- --only` takes. */
import type { Scene } from "./scene.js";
import { aborts } from "./scenes/aborts.js";
import { callers } from "./scenes/callers.js";
import { crowd } from "./scenes/crowd.js";
import { dropped, flat } from "./scenes/memory.js";
import { transfers } from "./scenes/transfers.js";
import { workers } from "./scenes/workers.js";

export const SCENES: Readonly<Record<string, Scene>> = {
  aborts,
  callers,
  crowd,
  dropped,
  flat,
  transfers,
  workers,
};

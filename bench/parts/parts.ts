/** The parts of the suite by name, in the order in which they run. */
import type { PartPlan, Scope } from "../plan.js";
import { calls } from "./calls.js";
import { concurrent } from "./concurrent.js";
import { forms } from "./forms.js";
import { hostile } from "./hostile.js";
import { isa } from "./isa.js";
import { objectives } from "./objectives.js";
import { padding } from "./padding.js";
import { peers } from "./peers.js";
import { rows, threads, vocab } from "./sizes.js";

type Planner = (scope: Scope) => PartPlan | Promise<PartPlan>;

export const PARTS: Readonly<Record<string, Planner>> = {
  forms,
  vocab,
  rows,
  threads,
  padding,
  calls,
  concurrent,
  hostile,
  isa,
  objectives,
  peers,
};

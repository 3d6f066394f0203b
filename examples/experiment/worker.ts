/** The process of one run: trains as its job says. Started by the runner. */
import { train } from "../trainer/index.js";
import { work } from "./job.js";

await work(train);

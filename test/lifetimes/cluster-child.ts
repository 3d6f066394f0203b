/** A forked process, or one of a cluster: sends the bits of a batch, and ends. */
import { bitsOf, papo, problem } from "./problem.js";

const { batch } = problem(40, 4099, 1);
process.send?.(bitsOf(await papo.evaluateAsync(batch())), () => process.disconnect());

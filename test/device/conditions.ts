/** What the machine at hand can show: tests that need more say so, and `simulation.test.ts` holds them to run somewhere. */
import test from "ava";
import { cuda } from "../../lib/index.js";

const names: readonly string[] = cuda.devices().map(({ name }) => name);

/** Whether there are two devices, as the simulation has. */
export const HAS_OTHER: boolean = names.length > 1;

/** Whether the devices are simulated, with the memory that the configuration says and nobody else on them. */
export const SIMULATED: boolean = names[0]?.startsWith("Simulated") ?? false;

type Condition = typeof test.serial | typeof test.skip;

/** A test of two devices; one at a time, since some listen to the addon's calls. */
export const onTwo: Condition = HAS_OTHER ? test.serial : test.skip;

/** A test that looks at what is left of a device's memory, so one at a time. */
export const onSimulation: Condition = SIMULATED ? test.serial : test.skip;

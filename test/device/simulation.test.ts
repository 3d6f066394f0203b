/** The simulation is there where it was asked for: without it, the tests that need it would be left out in silence. */
import test from "ava";
import { addon } from "../../lib/addon/load.js";
import { cuda } from "../../lib/index.js";
import { HAS_OTHER, SIMULATED } from "./conditions.js";

test("the addon with simulated devices has as many as were asked for, and no other addon has any", (t) => {
  const { path } = addon();
  t.is(SIMULATED, /\bshim\b/.test(path), path);
  if (!SIMULATED) return;
  t.is(cuda.devices().length, Number(process.env.PAPO_SHIM_DEVICES));
  t.is(HAS_OTHER, process.env.PAPO_SHIM_DEVICES !== "1");
});

/** Every golden case through every way of evaluating an objective, by the golden rule. */
import test from "ava";
import { Objective } from "../../lib/index.js";
import { GOLDEN_NAMES, loadGolden } from "../support/golden.js";
import { checkGolden, WAYS } from "./golden-ways.js";

for (const [title, way] of Object.entries(WAYS)) {
  test(`every golden case holds: ${title}`, async (t) => {
    for (const name of GOLDEN_NAMES) {
      const golden = await loadGolden(name);
      checkGolden(t, golden, await way(new Objective(golden.spec), golden, "cpu"));
    }
  });
}

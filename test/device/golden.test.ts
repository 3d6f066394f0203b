/** Every golden case with its logits on a device, through every way of evaluating an objective. */
import test from "ava";
import { Objective } from "../../lib/index.js";
import { checkGolden, WAYS } from "../objective/golden-ways.js";
import { GOLDEN_NAMES, loadGolden } from "../support/golden.js";
import { DEVICE } from "./devices.js";

for (const [title, way] of Object.entries(WAYS)) {
  test(`every golden case holds on the device: ${title}`, async (t) => {
    for (const name of GOLDEN_NAMES) {
      const golden = await loadGolden(name);
      const evaluation = await way(new Objective(golden.spec), golden, DEVICE);
      t.is(evaluation.gradLogits?.device, DEVICE);
      checkGolden(t, golden, evaluation);
      for (const gradient of [evaluation.gradLogits, evaluation.gradMaskedLogits]) {
        gradient?.dispose();
      }
    }
  });
}

/** What a reader's project infers from the sub-paths, and that there is none but them. */
import { expectTypeOf } from "expect-type";
import { objective } from "papo";
import { type MaskedImage, maskImage } from "papo/masking";
import { CollapseMonitor, type MonitorReport, type SignName } from "papo/monitor";
import { papoLoss, type REDUCTIONS } from "papo/reference";
import { boxedAnswer, type MathReward, mathReward } from "papo/rewards";

const size = { layout: "hwc", width: 1, height: 1, channels: 3 } as const;
const key = { seed: 1, step: 1, prompt: 1 };
const data: Uint8Array = new Uint8Array(3);
const bytes = maskImage({ ...size, data }, key);
expectTypeOf(bytes).toEqualTypeOf<MaskedImage<Uint8Array>>();
expectTypeOf(bytes.data).toEqualTypeOf<Uint8Array>();

const monitor = new CollapseMonitor({ rules: { signs: 2 } });
const { metrics } = objective("grpo")
  .build()
  .evaluate({ logProbs: [0], advantages: [1] });
expectTypeOf(monitor.update({ metrics })).toEqualTypeOf<MonitorReport>();
expectTypeOf(monitor.level).toEqualTypeOf<"calm" | "warning" | "alarm">();
expectTypeOf<string>().not.toMatchTypeOf<SignName>();

expectTypeOf(boxedAnswer("")).toEqualTypeOf<string | undefined>();
expectTypeOf(mathReward({ response: "", reference: "" })).toEqualTypeOf<MathReward>();
expectTypeOf<MathReward["accuracy"]>().toEqualTypeOf<0 | 1>();

expectTypeOf(papoLoss).returns.toHaveProperty("loss").toBeNumber();
expectTypeOf<(typeof REDUCTIONS)[number]>().not.toEqualTypeOf<string>();

// @ts-expect-error a layout is one of three
maskImage({ ...size, layout: "rgb", data }, key);
// @ts-expect-error rules have names
new CollapseMonitor({ rules: { sings: 2 } });
// @ts-expect-error the answer is `reference`
mathReward({ response: "", answer: "" });
// @ts-expect-error what has no sub-path of its own is no affair of others
export type Hidden = typeof import("papo/dist/core/dtype.js");

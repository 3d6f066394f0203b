/** `npm run release:dry`: everything of a release but the publishing, every step to its end, and a summary. */
import { parseArgs } from "node:util";
import { addonsStep, BUILT, INSTALLED } from "./built.js";
import { TREE, VERSION } from "./source.js";
import { runAll, type Step, summary } from "./step.js";
import { CHECKSUMS, PACK, PUBLISH, TESTS } from "./tarball.js";

/** What this project builds on Debian; the other platforms come from a hosted CI. */
const REQUIRED = process.env.PAPO_REQUIRE_PREBUILDS || "linux-x64+cuda,linux-x64-musl,linux-arm64";

const { values } = parseArgs({
  options: {
    require: { type: "string", default: REQUIRED },
    only: { type: "string", default: "" },
    help: { type: "boolean", default: false },
  },
});

const steps: readonly Step[] = [
  TREE,
  VERSION,
  INSTALLED,
  BUILT,
  addonsStep(values.require),
  PACK,
  ...TESTS,
  PUBLISH,
  CHECKSUMS,
];

const USAGE = `npm run release:dry -- [options]
  --require TARGETS  prebuilt addons that must be there (${REQUIRED});
                     +cuda asks for the CUDA kernels too
  --only STEPS       some of the steps: ${steps.map(({ name }) => name).join(", ")}
It publishes nothing. Exit code 0 where every step is ok; with --only that is no verdict on a release.`;

if (values.help) {
  console.log(USAGE);
} else {
  const wanted = values.only.split(",").filter((name) => name !== "");
  const unknown = wanted.filter((name) => !steps.some((step) => step.name === name));
  if (unknown.length > 0) {
    console.error(`no such step: ${unknown.join(", ")}\n\n${USAGE}`);
    process.exit(2);
  }
  const chosen = steps.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
  const results = await runAll(chosen);
  console.log(summary(results));
  if (chosen.length < steps.length) console.log("with --only: no verdict on a release");
  process.exitCode = results.every(({ outcome }) => outcome === "ok") ? 0 : 1;
}

/** What the paper claims of the collapse, held against the runs: counts of runs, since a collapse is an event. */
import { type Course, courseOf } from "./collapse.js";
import type { Finding, Verdict } from "./findings.js";
import { stepsOf } from "./measures.js";
import { plural } from "./numbers.js";
import { allRuns, type Laboratory, runsOf } from "./runs.js";

interface Claim {
  readonly claim: string;
  readonly source: string;
  readonly arm: string;
  /** Whether every run should collapse, or none. */
  readonly collapses: boolean;
}

const CLAIMS: readonly Claim[] = [
  {
    claim: "A perception KL that weighs too much, with nothing against it, ends in a collapse",
    source: "§5.3, Figure 12",
    arm: "collapse-none",
    collapses: true,
  },
  {
    claim: "The entropy of the policy prevents the collapse",
    source: "§5.3, Table 5",
    arm: "collapse-policy-entropy",
    collapses: false,
  },
  {
    claim: "Both entropies prevent the collapse",
    source: "§5.3, Table 5",
    arm: "collapse-double-entropy",
    collapses: false,
  },
  {
    claim: "A reference KL prevents the collapse (there: a larger one)",
    source: "§5.3, Table 5",
    arm: "collapse-ref-kl",
    collapses: false,
  },
  {
    claim: "The same with a constant masked branch, as in the authors' code: it ends in a collapse",
    source: "§5.3, Figure 12",
    arm: "constant-none",
    collapses: true,
  },
  {
    claim: "There the entropy of the policy prevents it (the masked one has no gradient there)",
    source: "§5.3, Table 5",
    arm: "constant-policy-entropy",
    collapses: false,
  },
  {
    claim: "There a reference KL prevents it",
    source: "§5.3, Table 5",
    arm: "constant-ref-kl",
    collapses: false,
  },
  {
    claim: "PAPO-D does not collapse (there DAPO-7B does, late)",
    source: "Figure 4",
    arm: "papo-d",
    collapses: false,
  },
];

export function collapseFindings(laboratory: Laboratory): Finding[] {
  return [
    ...CLAIMS.map((claim) => held(laboratory, claim)),
    delayed(laboratory),
    forewarned(laboratory),
    ours(laboratory, "Does a bound of 1 nat on the KL prevent the collapse?", "collapse-limit"),
    ours(laboratory, "Does a γ that backs off at the alarm prevent it?", "collapse-backoff"),
    ours(laboratory, "And with a constant masked branch?", "constant-backoff"),
    undisturbed(laboratory),
  ];
}

function coursesOf(laboratory: Laboratory, arm: string): Map<number, Course> {
  return new Map([...runsOf(laboratory, arm)].map(([seed, run]) => [seed, courseOf(run)]));
}

function held(laboratory: Laboratory, { claim, source, arm, collapses }: Claim): Finding {
  const courses = [...coursesOf(laboratory, arm).values()];
  if (courses.length === 0) return { claim, source, verdict: "missing", here: `not run: ${arm}` };
  const fallen = courses.filter(({ fall }) => fall !== undefined).length;
  const expected = collapses ? courses.length : 0;
  const opposite = courses.length - expected;
  return {
    claim,
    source,
    verdict: fallen === expected ? "agrees" : fallen === opposite ? "differs" : "mixed",
    here: `${arm}: the reward fell in ${fallen} of ${plural(courses.length, "run")}`,
  };
}

/** The entropy of the masked policy alone: a collapse, but a later one. */
function delayed(laboratory: Laboratory): Finding {
  const claim = "The entropy of the masked policy alone only delays the collapse";
  const source = "§5.3, Figure 5";
  const [without, withIt] = ["collapse-none", "collapse-masked-entropy"].map((arm) =>
    coursesOf(laboratory, arm),
  ) as [Map<number, Course>, Map<number, Course>];
  const seeds = [...withIt.keys()].filter((seed) => without.has(seed));
  const delays = seeds.flatMap((seed) => {
    const [base, other] = [without.get(seed)?.fall, withIt.get(seed)?.fall];
    return base === undefined ? [] : [{ base, other }];
  });
  if (delays.length === 0) {
    const here = "no seed in which the run without it collapsed and the run with it exists";
    return { claim, source, verdict: "missing", here };
  }
  const later = delays.filter(({ base, other }) => other !== undefined && other > base).length;
  const never = delays.filter(({ other }) => other === undefined).length;
  const sooner = delays.length - later - never;
  const verdict: Verdict = later === delays.length ? "agrees" : later === 0 ? "differs" : "mixed";
  const here = `of ${plural(delays.length, "run")}, ${later} collapsed later, ${sooner} as early or earlier, ${never} not at all`;
  return { claim, source, verdict, here };
}

/** Whether the alarm came before the fall, over every run that collapsed and has a perception KL to watch. */
function forewarned(laboratory: Laboratory): Finding {
  const claim = "Signs show before the reward falls";
  const source = "§5.3, Figure 11";
  const fallen = allRuns(laboratory)
    .filter((run) => stepsOf(run, "kl").length > 0)
    .map(courseOf)
    .flatMap(({ fall, alarm }) => (fall === undefined ? [] : [{ fall, alarm }]));
  if (fallen.length === 0) {
    return { claim, source, verdict: "missing", here: "no run with a perception term collapsed" };
  }
  const leads = fallen.flatMap(({ fall, alarm }) =>
    alarm !== undefined && alarm < fall ? [fall - alarm] : [],
  );
  const distance = leads.sort((a, b) => a - b)[Math.floor(leads.length / 2)];
  const lead =
    distance === undefined ? "" : `, by ${plural(distance, "batch", "batches")} in the median`;
  return {
    claim,
    source,
    verdict: leads.length === fallen.length ? "agrees" : leads.length === 0 ? "differs" : "mixed",
    here: `the monitor's alarm came first in ${leads.length} of ${plural(fallen.length, "run")} whose reward fell${lead}`,
  };
}

/** Alarms in runs whose reward did not fall. */
function undisturbed(laboratory: Laboratory): Finding {
  const claim = "Is the monitor calm where nothing falls?";
  const standing = [...laboratory.arms].flatMap(([arm, runs]) =>
    [...runs.values()]
      .filter((run) => stepsOf(run, "kl").length > 0 && courseOf(run).fall === undefined)
      .map((run) => ({ arm, alarmed: courseOf(run).alarm !== undefined })),
  );
  if (standing.length === 0) {
    return { claim, source: "", verdict: "missing", here: "no run with a perception term" };
  }
  const alarmed = standing.filter((run) => run.alarmed);
  const names = [...new Set(alarmed.map(({ arm }) => arm))];
  const where = names.length === 0 ? "" : `: ${names.join(", ")}`;
  const here = `it alarmed in ${alarmed.length} of ${plural(standing.length, "run")} whose reward did not fall${where}`;
  return { claim, source: "", verdict: "beyond", here };
}

/** What the paper does not have: a bound, a schedule. */
function ours(laboratory: Laboratory, claim: string, arm: string): Finding {
  const courses = [...coursesOf(laboratory, arm).values()];
  if (courses.length === 0) {
    return { claim, source: "", verdict: "missing", here: `not run: ${arm}` };
  }
  const fallen = courses.filter(({ fall }) => fall !== undefined).length;
  const here = `${arm}: the reward fell in ${fallen} of ${plural(courses.length, "run")}`;
  return { claim, source: "", verdict: "beyond", here };
}

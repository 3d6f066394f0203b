/** The report of the experiment as one HTML file: what was run, what came out, and whether it agrees with the paper. */
import { ABLATIONS, type Ablation, COLLAPSES, MAIN_ARMS, PAIRS, SHOWN_ARMS } from "./arms.js";
import { courseOf, FALLEN } from "./collapse.js";
import { collapsePanels, rangesOf } from "./collapse-plots.js";
import { collapseTable, signsTable } from "./collapse-tables.js";
import {
  alongSetting,
  differenceCurves,
  ERROR_COLOURS,
  errorBars,
  learningCurves,
} from "./curve-plots.js";
import { type Colour, css } from "./drawing.js";
import { factsSection } from "./facts.js";
import { findingsOf } from "./findings.js";
import { findingsSection } from "./findings-section.js";
import { ERROR_KINDS, type ReadingName } from "./measures.js";
import { escaped, percent } from "./numbers.js";
import { NOT_IN_THE_PAPER, PAPER, PAPER_ENTROPY_WEIGHTS, PAPER_VARIANCE_FACTOR } from "./paper.js";
import { type Laboratory, runsOf } from "./runs.js";
import { settingsTable } from "./settings.js";
import { documentOf } from "./style.js";
import * as tables from "./tables.js";

const TITLE = "Does it learn to see?";

/** Arms that were not run are named where they are missing; nothing else changes. */
export function pageOf(laboratory: Laboratory): string {
  const body = [
    `<h1>${TITLE}</h1>`,
    `<p class="lead">GRPO, DAPO, PAPO-G and PAPO-D train a small vision-language policy on drawn
puzzles: digits to add, objects to count, things to compare, lines to follow. Half of the
questions need the image, half tell in words what it shows. The comparisons are those of the paper
(<a href="${PAPER.url}">${PAPER.name}</a>), at a scale that two processor cores can carry, over
several seeds.</p>`,
    factsSection(laboratory),
    NAVIGATION,
    findingsSection(findingsOf(laboratory)),
    mainSection(laboratory),
    maskedSection(laboratory),
    errorSection(laboratory),
    ablationSection(laboratory),
    collapseSection(laboratory),
    methodSection(laboratory),
  ];
  return documentOf(TITLE, "PAPO against its baselines on two processor cores", body.join("\n"));
}

const NAVIGATION = `<nav>${Object.entries({
  findings: "the paper’s claims",
  curves: "learning curves",
  masked: "without the image",
  errors: "errors",
  ablations: "ablations",
  collapse: "the collapse",
  method: "how it was measured",
})
  .map(([id, name]) => `<a href="#${id}">${name}</a>`)
  .join(" ")}</nav>`;

const VIEWS: readonly (readonly [ReadingName, string])[] = [
  ["overall", "all questions"],
  ["vision", "vision-dependent"],
  ["text", "text-aided"],
];

function mainSection(laboratory: Laboratory): string {
  const plots = VIEWS.flatMap(([name, title]) => figureOf(learningCurves(laboratory, name, title)));
  const curves =
    plots.length === 0
      ? missing("None of the main arms was run.")
      : `<ul class="legend">${MAIN_ARMS.map(({ name, colour, dashed }) => legend(name, colour, dashed)).join("")}</ul>
<div class="grid">${plots.join("")}</div>`;
  return `<h2 id="curves">Learning curves</h2>
<p>Accuracy on held-out problems, sampled (avg@8), mean over seeds with 95&nbsp;% t-intervals;
batch 0 is the cold start that all arms of a seed share. Baselines are dashed.</p>
${curves}
<h3>At the end</h3>
<p class="note">Percent, ± half of the 95&nbsp;% interval over seeds. The paper’s general and
vision-dependent averages are beside our text-aided and vision-dependent ones; they are of other
benchmarks and of models with billions of parameters, so that only directions compare.</p>
${tables.finalTable(laboratory)}
<h3>What PAPO adds</h3>
<p class="note">Points, with the 95&nbsp;% interval of the paired difference. Coloured where it
excludes 0. “Mean of the curve” is the area under the learning curve over its length: higher is
sooner.</p>
${tables.gainTable(laboratory)}
${differencePlots(laboratory)}
<h3>By task, and by how noisy the image is</h3>
${tables.detailTable(laboratory)}`;
}

function differencePlots(laboratory: Laboratory): string {
  const plots = VIEWS.flatMap(([name, title]) =>
    figureOf(differenceCurves(laboratory, name, title)),
  );
  if (plots.length === 0) return "";
  const keys = PAIRS.map(({ name, colour }) => legend(name, colour, false));
  return `<ul class="legend">${keys.join("")}</ul><div class="grid">${plots.join("")}</div>`;
}

function maskedSection(laboratory: Laboratory): string {
  return `<h2 id="masked">Without the image</h2>
<p>The same questions with a black image. Where the text has the facts the answer can stay right;
where only the image has them, what is left is guessing, and what is below guessing is a policy
that has learned to be surely wrong when it does not see.</p>
${tables.maskedTable(laboratory)}`;
}

function errorSection(laboratory: Laboratory): string {
  const bars = errorBars(laboratory);
  const keys = ERROR_KINDS.map((kind) => legend(kind, ERROR_COLOURS[kind], false, 8)).join("");
  return `<h2 id="errors">Why answers are wrong</h2>
<p>Every response first says what it sees. An error is of <b>perception</b> if that is not what
the image shows, of <b>reasoning</b> if it is and the answer is wrong all the same, of
<b>format</b> if the response is not well-formed. Here a program decides; in the paper people did,
for 200 errors.</p>
${bars === undefined ? missing("None of the main arms was run.") : `<ul class="legend">${keys}</ul><div class="grid few">${figure(bars)}</div>`}
${tables.errorTable(laboratory)}`;
}

function ablationSection(laboratory: Laboratory): string {
  return `<h2 id="ablations">Ablations</h2>
<p>Each changes one thing of PAPO-G, whose settings are at the end of the page, and is compared with
it over the seeds that both have, in points. † collapsed, in the paper’s words.</p>
${ABLATIONS.map((ablation) => ablationPart(laboratory, ablation)).join("\n")}
<p class="note">The paper also varies the coefficient of both entropies (Table 11, 7B):
${PAPER_ENTROPY_WEIGHTS.map(
  ({ weight, overall, collapsed }) => `${weight}: ${overall}${collapsed ? " †" : ""}`,
).join(", ")}. It was not varied here.</p>`;
}

function ablationPart(laboratory: Laboratory, ablation: Ablation): string {
  const { id, title, note, arms } = ablation;
  const absent = arms.filter((arm) => !laboratory.arms.has(arm.id)).map((arm) => arm.id);
  const plot = ablation.along ? figureOf(alongSetting(laboratory, arms, title)) : [];
  const forms = legend("vision-dependent", "blue", false) + legend("text-aided", "orange", false);
  const keyed = plot.map((of) =>
    of.replace("<figure>", `<figure><ul class="legend">${forms}</ul>`),
  );
  return `<h3 id="${id}">${escaped(title)}</h3>
<p class="note">${escaped(note)}</p>
${absent.length === 0 ? "" : missing(`Not run: ${absent.join(", ")}.`)}
<div class="pair">${tables.ablationTable(laboratory, ablation)}${keyed.join("")}</div>`;
}

function collapseSection(laboratory: Laboratory): string {
  const absent = COLLAPSES.filter(({ id }) => !laboratory.arms.has(id)).map(({ id }) => id);
  const ranges = rangesOf(COLLAPSES.flatMap(({ id }) => [...runsOf(laboratory, id).values()]));
  const cards = COLLAPSES.flatMap(({ id, label }) => {
    const runs = runsOf(laboratory, id);
    const [seed] = runs.keys();
    if (seed === undefined) return [];
    const fallen = [...runs.values()].filter((run) => courseOf(run).fall !== undefined).length;
    const caption = `the reward fell in ${fallen} of ${runs.size}; seed ${seed} in full, others faint`;
    const panels = collapsePanels(runs, label, ranges);
    return [
      `<figure><h3>${escaped(label)}</h3>${panels}<figcaption>${caption}</figcaption></figure>`,
    ];
  });
  return `<h2 id="collapse">The collapse, and what prevents it</h2>
<p>The perception term weighs far too much, its bound is out of reach, and nothing stands against
it; then one thing after the other does. The reward counts as fallen where its mean over 11
batches (centred, so that smoothing delays nothing) is below ${percent(FALLEN, 0)} of its largest
so far. The monitor sees each batch as it comes. In the paper a collapsed 7B run had
${PAPER_VARIANCE_FACTOR} times the variance of the per-token KL of a stable one (appendix
M).</p>
${absent.length === 0 ? "" : missing(`Not run: ${absent.join(", ")}.`)}
${cards.length === 0 ? "" : collapseLegend()}
<div class="grid">${cards.join("")}</div>
${collapseTable(laboratory)}
<h3>The early signs</h3>
${signsTable(laboratory)}`;
}

function collapseLegend(): string {
  const keys = [
    legend("first warning", "orange", true),
    legend("first alarm", "red", false),
    legend("reward has fallen", "ink", true),
    legend("entropy of the policy", "violet", false),
    legend("of the masked policy", "green", false),
  ];
  return `<ul class="legend">${keys.join("")}</ul><p class="note">Lines are means over 11 batches.</p>`;
}

function methodSection(laboratory: Laboratory): string {
  const absent = SHOWN_ARMS.filter((arm) => !laboratory.arms.has(arm));
  const others = [...laboratory.arms.keys()].filter((arm) => !SHOWN_ARMS.includes(arm));
  return `<h2 id="method">How it was measured, and what is not here</h2>
<ul>
<li>Intervals are Student’s, 95&nbsp;%, over seeds; differences are paired by seed, since arms of
a seed share cold start, problems and masks. A difference whose interval excludes 0 is called one;
otherwise it says “no difference seen at this scale”, which is not “no difference”. Nothing is
corrected for the number of comparisons: of twenty without any difference, one is expected to look
like one.</li>
<li>A collapse is counted, run by run.</li>
<li>The paper’s numbers are of ${PAPER.name}, each from the table named beside it. Its text does not
give: ${NOT_IN_THE_PAPER.map(escaped).join("; ")}.</li>
${absent.length === 0 ? "" : `<li>Arms that were not run: ${absent.join(", ")}.</li>`}
${others.length === 0 ? "" : `<li>Results that no table shows: ${others.map(escaped).join(", ")}.</li>`}
</ul>
<h3>Settings of every arm</h3>
${settingsTable(laboratory)}`;
}

function figure(plot: string): string {
  return `<figure>${plot}</figure>`;
}

function figureOf(plot: string | undefined): string[] {
  return plot === undefined ? [] : [figure(plot)];
}

function missing(text: string): string {
  return `<p class="missing">${escaped(text)}</p>`;
}

/** A line of its colour, and what it is. */
function legend(name: string, colour: Colour, dashed: boolean, width = 2.5): string {
  const dashes = dashed ? ' stroke-dasharray="5 4"' : "";
  const line = `<path d="M0 5H30" stroke="${css(colour)}" stroke-width="${width}"${dashes}/>`;
  return `<li><svg viewBox="0 0 30 10" aria-hidden="true">${line}</svg>${escaped(name)}</li>`;
}

/** The paper's claims as a list: which agree, which do not, and where nothing was seen. */
import type { Finding, Verdict } from "./findings.js";
import { escaped } from "./numbers.js";

const HEADS: Readonly<Record<Verdict, string>> = {
  agrees: "Agrees with the paper",
  differs: "Does not agree",
  mixed: "For some runs, not for others",
  unclear: "No difference seen at this scale",
  beyond: "Beyond the paper: a difference, or a count",
  missing: "Not decided: not run, or on one seed only",
};
const VERDICTS = Object.keys(HEADS) as Verdict[];

export function findingsSection(findings: readonly Finding[]): string {
  const groups = VERDICTS.map((verdict) => ({
    verdict,
    members: findings.filter((finding) => finding.verdict === verdict),
  })).filter(({ members }) => members.length > 0);
  const counts = groups.map(
    ({ verdict, members }) => `<li><b>${members.length}</b> ${short(verdict)}</li>`,
  );
  const lists = groups.map(
    ({ verdict, members }) =>
      `<h3>${HEADS[verdict]}</h3>${verdict === "missing" ? missed(members) : held(members)}`,
  );
  return `<h2 id="findings">The paper’s claims, held against these runs</h2>
<p class="note">Verdicts and sentences are computed from the results. Differences are paired by seed, in points, with 95&nbsp;% intervals.</p>
<ul class="counts">${counts.join("")}</ul>
${lists.join("\n")}`;
}

function short(verdict: Verdict): string {
  const words: Record<Verdict, string> = {
    agrees: "agree",
    differs: "do not agree",
    mixed: "for some runs",
    unclear: "no difference seen",
    beyond: "beyond the paper",
    missing: "not decided",
  };
  return words[verdict];
}

function held(findings: readonly Finding[]): string {
  return `<ul class="findings">${findings.map(item).join("")}</ul>`;
}

/** What was not put to the test takes little space. */
function missed(findings: readonly Finding[]): string {
  const items = findings.map(({ claim, here }) => `<li>${escaped(claim)} (${escaped(here)})</li>`);
  return `<ul class="missed">${items.join("")}</ul>`;
}

function item({ claim, source, verdict, here }: Finding): string {
  const from = source === "" ? "not in the paper" : source;
  return `<li class="${verdict}"><span class="claim">${escaped(claim)} <span class="source">${escaped(from)}</span></span>${escaped(here)}</li>`;
}

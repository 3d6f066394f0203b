/** Steps over the sources: nothing uncommitted, one version everywhere, a changelog that has it, a tag that is free. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, readManifest } from "../licences/manifest.js";
import { git } from "../record.js";
import { type Finding, failures, type Step } from "./step.js";

export const TREE: Step = {
  name: "tree",
  title: "everything is committed",
  run() {
    const status = git("status", "--porcelain");
    if (status === undefined)
      return failures(["git does not answer: a release comes from a checkout"]);
    const changed = status.split("\n").filter((line) => line !== "");
    return {
      failures: changed.length === 0 ? [] : [`not committed:\n${changed.join("\n")}`],
      notes: [`commit ${git("rev-parse", "HEAD")}`],
    };
  },
};

export const VERSION: Step = {
  name: "version",
  title: "one version in package.json, the lock and the changelog, and no other release of it",
  run() {
    const { version } = readManifest();
    const found = [
      ...objectionsToVersion(version, readLock()),
      ...objectionsToChangelog(version, readFileSync(join(ROOT, "CHANGELOG.md"), "utf8"), today()),
    ];
    const { failures, notes } = tag(`v${version}`);
    return { failures: [...found, ...failures], notes: [`version ${version}`, ...notes] };
  },
};

interface Lock {
  readonly version: string;
  readonly packages: Readonly<Record<string, { readonly version: string }>>;
}

/** Why a version is none, or not the lock's. */
export function objectionsToVersion(version: string, lock: Lock): string[] {
  const found: string[] = [];
  if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) found.push(`${version} is no version`);
  for (const there of [lock.version, lock.packages[""]?.version]) {
    if (there === version) continue;
    found.push(
      `package-lock.json is of ${there}: npm install --package-lock-only --ignore-scripts`,
    );
  }
  return [...new Set(found)];
}

/** What a changelog lacks for a release of `version` on the day `now`, `2026-11-21`. */
export function objectionsToChangelog(version: string, text: string, now: string): string[] {
  const found: string[] = [];
  const sections = text.split(/^## /m).slice(1);
  const bodyOf = (title: RegExp) => {
    const section = sections.find((candidate) => title.test(candidate));
    return section
      ?.replace(/^.*\n?/, "")
      .replace(/^###.*$/gm, "")
      .trim();
  };
  if (bodyOf(/^\[Unreleased\]/i)) {
    found.push(
      `CHANGELOG.md has lines below [Unreleased]: they belong below [${version}] or are not released`,
    );
  }
  const own = `[${version}] - `;
  const body = bodyOf(new RegExp(`^${own.replace(/[[\].+-]/g, "\\$&")}`));
  const date = sections
    .find((section) => section.startsWith(own))
    ?.slice(own.length)
    .split("\n")[0];
  if (body === undefined) found.push(`CHANGELOG.md has no section "## ${own}${now}"`);
  else if (body === "") found.push(`CHANGELOG.md says nothing about ${version}`);
  if (date !== undefined && !isDay(date))
    found.push(`CHANGELOG.md dates ${version} "${date}", not as ${now}`);
  else if (date !== undefined && date > now)
    found.push(`CHANGELOG.md dates ${version} ${date}, which is to come`);
  return found;
}

/** A tag of that name may only be this commit's: the one that started the release. */
function tag(name: string): Finding {
  const own = git("rev-parse", "--verify", "--quiet", `refs/tags/${name}^{commit}`);
  const head = git("rev-parse", "HEAD");
  const found = own && own !== head ? [`the tag ${name} is there, of ${own.slice(0, 12)}`] : [];
  const { GITHUB_REF_TYPE: kind, GITHUB_REF_NAME: started } = process.env;
  if (kind === "tag" && started !== name)
    found.push(`this release is of the tag ${started}, not ${name}`);
  if (!git("remote")) return failures(found, ["not tried: tags of a remote, since there is none"]);
  const remote = git("ls-remote", "--tags", "origin", name);
  if (remote === undefined)
    return failures(found, ["not tried: tags of origin, which does not answer"]);
  if (remote !== "" && !own) found.push(`origin has the tag ${name} already`);
  return failures(found);
}

function isDay(text: string): boolean {
  const time = Date.parse(text);
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(time) && dayOf(new Date(time)) === text;
}

const dayOf = (time: Date) => time.toISOString().slice(0, 10);
const today = () => dayOf(new Date());
const readLock = () => JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as Lock;

/** Counts of covered lines against the list of those that are not, with reasons. */

export interface Counts {
  readonly file: string;
  /** Lines with code. */
  readonly total: number;
  /** Those of them that no test comes by, from 1. */
  readonly uncovered: readonly number[];
}

/** Uncovered lines that each file may have, and why, by file or by what its path begins with. */
export interface Listed {
  readonly reasons: Readonly<Record<string, string>>;
  readonly lines: Readonly<Record<string, number>>;
}

/** "3-5, 9" */
function rows(lines: readonly number[]): string {
  const sorted = [...lines].sort((a, b) => a - b);
  const starts = sorted.filter((line) => !sorted.includes(line - 1));
  const ends = sorted.filter((line) => !sorted.includes(line + 1));
  return starts.map((start, i) => (start === ends[i] ? start : `${start}-${ends[i]}`)).join(", ");
}

/** A line per file that has uncovered ones. */
export function placesOf(counts: readonly Counts[]): string {
  const open = counts.filter(({ uncovered }) => uncovered.length > 0);
  return open.map(({ file, uncovered }) => `${file}: ${rows(uncovered)}\n`).join("");
}

/** What is wrong: more uncovered lines than listed, no reason, or files that are gone. */
export function judged(counts: readonly Counts[], { reasons, lines }: Listed): string[] {
  const files = new Set(counts.map(({ file }) => file));
  const grown = counts.flatMap(({ file, uncovered }) => {
    const most = lines[file] ?? 0;
    return uncovered.length > most
      ? [`${file} has ${uncovered.length} uncovered lines, ${most} are listed: ${rows(uncovered)}`]
      : [];
  });
  const mute = Object.keys(lines).flatMap((file) =>
    Object.keys(reasons).some((path) => file.startsWith(path))
      ? []
      : [`${file} is listed without a reason`],
  );
  const gone = Object.keys(lines).flatMap((file) =>
    files.has(file) ? [] : [`${file} is listed, and is not there or not measured`],
  );
  return [...grown, ...mute, ...gone];
}

/** Reasons that explain nothing any more: to be removed, and no failure. */
export function idleIn({ reasons, lines }: Listed): string[] {
  return Object.keys(reasons)
    .filter((path) => !Object.keys(lines).some((file) => file.startsWith(path)))
    .map((path) => `the reason for ${path} explains nothing that is listed`);
}

/** The list with the counts of now, and the reasons as people wrote them. */
export function updated({ reasons }: Listed, counts: readonly Counts[]): Listed {
  const open = counts.filter(({ uncovered }) => uncovered.length > 0);
  const lines = Object.fromEntries(open.map(({ file, uncovered }) => [file, uncovered.length]));
  return { reasons, lines };
}

/** A line per folder, and one for all of each language; what runs on a GPU is simulated, so there is one without it. */
export function tableOf(counts: readonly Counts[]): string {
  const groups = new Map<string, { total: number; uncovered: number }>();
  for (const { file, total, uncovered } of counts) {
    const [tree, room = ""] = file.split("/");
    const folder = room.includes(".") ? `${tree}/` : `${tree}/${room}/`;
    const names = [folder, `${tree}/ in all`];
    if (tree === "native" && room !== "cuda") names.push("native/ without cuda/");
    for (const name of names) {
      const group = groups.get(name) ?? { total: 0, uncovered: 0 };
      groups.set(name, {
        total: group.total + total,
        uncovered: group.uncovered + uncovered.length,
      });
    }
  }
  const lines = [...groups].map(([name, { total, uncovered }]) => {
    const share = total === 0 ? 100 : (100 * (total - uncovered)) / total;
    return `| ${name} | ${total} | ${uncovered} | ${share.toFixed(1)} % |`;
  });
  return [
    "| folder | lines | uncovered | covered |",
    "| --- | ---: | ---: | ---: |",
    ...lines,
  ].join("\n");
}

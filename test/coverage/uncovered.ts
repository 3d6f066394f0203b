/** Counts of covered lines against the list of those that are not, with reasons. */

export interface Counts {
  readonly file: string;
  readonly total: number;
  readonly covered: number;
}

/** Uncovered lines that each file may have, and why, by file or by what its path begins with. */
export interface Listed {
  readonly reasons: Readonly<Record<string, string>>;
  readonly lines: Readonly<Record<string, number>>;
}

/** What is wrong: more uncovered lines than listed, no reason, or files that are gone. */
export function judged(counts: readonly Counts[], { reasons, lines }: Listed): string[] {
  const files = new Set(counts.map(({ file }) => file));
  const grown = counts.flatMap(({ file, total, covered }) => {
    const most = lines[file] ?? 0;
    const open = total - covered;
    return open > most ? [`${file} has ${open} uncovered lines, ${most} are listed`] : [];
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

/** A line per folder, and one for all of each language. */
export function tableOf(counts: readonly Counts[]): string {
  const groups = new Map<string, { total: number; covered: number }>();
  for (const { file, total, covered } of counts) {
    const [tree, room = ""] = file.split("/");
    for (const name of [`${tree}/${room.includes(".") ? "" : `${room}/`}`, `${tree}/ in all`]) {
      const group = groups.get(name) ?? { total: 0, covered: 0 };
      groups.set(name, { total: group.total + total, covered: group.covered + covered });
    }
  }
  const lines = [...groups].map(([name, { total, covered }]) => {
    const share = total === 0 ? 100 : (100 * covered) / total;
    return `| ${name} | ${total} | ${total - covered} | ${share.toFixed(1)} % |`;
  });
  return [
    "| folder | lines | uncovered | covered |",
    "| --- | ---: | ---: | ---: |",
    ...lines,
  ].join("\n");
}

/** The notices that travel with the package: who wrote what is not papo's own, and on which terms. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { locked, ROOT, readManifest } from "./manifest.js";
import { PARTS, type Part, type Way } from "./parts.js";

const HEADINGS: readonly (readonly [heading: string, ways: readonly Way[]])[] = [
  ["In the package and its binaries", ["copied", "compiled"]],
  ["Installed beside it", ["installed"]],
  ["Used where it is there; nothing of it is shipped", ["system", "peer"]],
];

/** The text of THIRD-PARTY-NOTICES.txt. */
export function notices(): string {
  const { name, license } = readManifest();
  const rest = new Set(PARTS);
  const chapters = HEADINGS.flatMap(([heading, ways]) => {
    const parts = [...rest].filter((part) => part.ways.some((way) => ways.includes(way)));
    for (const part of parts) rest.delete(part);
    return [underlined(heading, "="), ...parts.map(section)];
  });
  const intro = wrapped(
    `${name} is under the ${license} licence (LICENSE). This is what others wrote. sbom.cdx.json says the same for programs.`,
  );
  return `${[underlined("Third-party notices", "#"), intro, ...chapters].join("\n\n")}\n`;
}

/** Version of a part: its own, the lock's, or the range that the manifest asks for; "" for what is the system's. */
export function versionOf({ name, ways, version }: Part): string {
  if (version !== undefined) return version;
  if (ways.includes("peer")) return readManifest().peerDependencies[name] ?? "";
  return ways.includes("system") ? "" : locked(name).version;
}

function section(part: Part): string {
  const { licence, note, text } = part;
  const terms = "spdx" in licence ? licence.spdx : `${licence.name}, ${licence.url}`;
  const paragraphs = [
    underlined(`${part.name} ${versionOf(part)}`.trim(), "-"),
    `Licence: ${terms}`,
    wrapped(note),
  ];
  if (text !== undefined) {
    const lines = readFileSync(join(ROOT, text), "utf8").trim().split("\n");
    paragraphs.push(lines.map((line) => `    ${line}`.trimEnd()).join("\n"));
  }
  return paragraphs.join("\n\n");
}

function underlined(text: string, sign: string): string {
  return `${text}\n${sign.repeat(text.length)}`;
}

/** Lines of at most 100 characters. */
function wrapped(text: string): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = `${lines.at(-1)} ${word}`.trim();
    if (line.length > 100) lines.push(word);
    else lines[lines.length - 1] = line;
  }
  return lines.join("\n");
}

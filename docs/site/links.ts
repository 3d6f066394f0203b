/** The links of a folder of HTML: every page, picture and anchor that one of its pages points to is there. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

export interface BrokenLink {
  readonly page: string;
  readonly target: string;
}

export interface CheckedLinks {
  readonly pages: number;
  readonly links: number;
  readonly broken: readonly BrokenLink[];
  /** Addresses on other hosts, each once; nobody fetches them. */
  readonly external: readonly string[];
}

interface Page {
  readonly anchors: ReadonlySet<string>;
  readonly targets: readonly string[];
}

export function checkLinks(folder: string): CheckedLinks {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(?:html|svg)$/.test(name))
    .map((name) => join(folder, name));
  const pages = new Map(files.map((file) => [file, readPage(file)]));
  const broken: BrokenLink[] = [];
  const external = new Set<string>();
  let links = 0;
  for (const [page, { targets }] of pages) {
    for (const target of targets) {
      if (/^(?:https?|mailto|data):/.test(target)) {
        external.add(target);
        continue;
      }
      links += 1;
      if (!leadsSomewhere(page, target, pages)) broken.push({ page, target });
    }
  }
  const html = files.filter((file) => file.endsWith(".html"));
  return { pages: html.length, links, broken, external: [...external].sort() };
}

function leadsSomewhere(page: string, target: string, pages: ReadonlyMap<string, Page>): boolean {
  const [path = "", anchor = ""] = target.split("#").map(decodeURIComponent);
  const file = path === "" ? page : resolve(dirname(page), path);
  if (!existsSync(file) || statSync(file).isDirectory()) return false;
  return anchor === "" || (pages.get(file)?.anchors.has(anchor) ?? false);
}

/** Tags as the generator writes them: attributes in double quotes, and no "<" in texts. */
const TAG = /<[a-z][a-z0-9-]*((?:\s+[\w:-]+(?:="[^"]*")?)*)\s*\/?>/g;
const ATTRIBUTE = /\s(id|href|src)="([^"]*)"/g;

function readPage(file: string): Page {
  const anchors = new Set<string>();
  const targets: string[] = [];
  for (const [, attributes = ""] of readFileSync(file, "utf8").matchAll(TAG)) {
    for (const [, name, value = ""] of attributes.matchAll(ATTRIBUTE)) {
      if (name === "id") anchors.add(unescaped(value));
      else targets.push(unescaped(value));
    }
  }
  return { anchors, targets };
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"' };

function unescaped(text: string): string {
  return text
    .replaceAll(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
    .replaceAll(/&(amp|lt|gt|quot);/g, (_, name) => ENTITIES[name] as string);
}

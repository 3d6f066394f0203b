/** What the library's own doc comments say: of interfaces field by field, and of functions. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

export interface Field {
  readonly name: string;
  readonly type: string;
  readonly meaning: string;
}

export interface Declaration {
  readonly name: string;
  readonly meaning: string;
  readonly fields: readonly Field[];
}

/** Every exported interface of a room by its name, with the fields of what it extends. */
export function interfacesOf(...rooms: readonly string[]): ReadonlyMap<string, Declaration> {
  const found = new Map<string, Declaration & { readonly bases: readonly string[] }>();
  for (const source of rooms.flatMap(sourcesOf)) {
    const pattern =
      /(\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n)?export interface (\w+)(?: extends ([\w, ]+))? \{\n([\s\S]*?)\n\}/g;
    for (const [, doc = "", name = "", bases = "", body = ""] of source.matchAll(pattern)) {
      const fields = fieldsOf(body);
      found.set(name, { name, meaning: textOf(doc), fields, bases: bases.split(/, ?/) });
    }
  }
  const complete = ({ bases, fields }: { bases: readonly string[]; fields: readonly Field[] }) => {
    const inherited = bases.flatMap((base): readonly Field[] => {
      const declaration = found.get(base);
      return declaration === undefined ? [] : complete(declaration);
    });
    return [...inherited, ...fields];
  };
  return new Map(
    [...found].map(([name, entry]) => [
      name,
      { name, meaning: entry.meaning, fields: complete(entry) },
    ]),
  );
}

/** The words of every exported type of a room that is nothing but words. */
export function wordsOf(...rooms: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const source = rooms.flatMap(sourcesOf).join("\n");
  const lists = new Map(
    [...source.matchAll(/\bconst (\w+)(?:: [^=\n]+)? = (\[[^\]]*\])/g)].map(
      ([, name = "", list = ""]) => [name, list] as const,
    ),
  );
  const aliases = new Map(
    [...source.matchAll(/\bexport type (\w+) =\s+([^;{]+);/g)].map(
      ([, name = "", type = ""]) => [name, type] as const,
    ),
  );
  /** Undefined where any part of the type is more than words. */
  const resolve = (type: string): string[] | undefined => {
    const parts = type.split("|").map((part) => {
      const text = part.trim();
      const list = lists.get(/^\(typeof (\w+)\)\[number\]$/.exec(text)?.[1] ?? "");
      if (/^"[^"]*"$/.test(text)) return [text];
      if (list !== undefined) return [...list.matchAll(/"[^"]*"/g)].map(([word]) => word);
      const alias = aliases.get(text);
      return alias === undefined ? undefined : resolve(alias);
    });
    return parts.every((part) => part !== undefined) ? parts.flat() : undefined;
  };
  const found = [...aliases.keys()].map((name) => [name, resolve(name) ?? []] as const);
  return new Map(found.filter(([, words]) => words.length > 0));
}

/** The first paragraph that a file's doc comment says of an exported function, class or constant. */
export function meaningOf(path: string, name: string): string {
  const source = readFileSync(`${ROOT}${path}`, "utf8");
  const pattern = new RegExp(
    `(/\\*\\*(?:(?!\\*/)[\\s\\S])*\\*/)\\nexport (?:declare )?(?:function|class|const|type) ${name}\\b`,
  );
  const [, doc] = pattern.exec(source) ?? [];
  if (doc === undefined) throw new Error(`${path} says nothing of ${name}`);
  return textOf(doc);
}

function sourcesOf(room: string): string[] {
  return readdirSync(`${ROOT}${room}`)
    .filter((file) => file.endsWith(".ts"))
    .sort()
    .map((file) => readFileSync(`${ROOT}${room}/${file}`, "utf8"));
}

/** Fields without a comment of their own share the one before them. */
function fieldsOf(body: string): Field[] {
  const pattern = /(\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*)?readonly (\w+)\??: ([\s\S]*?);\n/g;
  let meaning = "";
  return [...`${body}\n`.matchAll(pattern)].map(([, doc, name = "", type = ""]) => {
    if (doc !== undefined) meaning = textOf(doc);
    return { name, type: type.replaceAll(/\s+/g, " "), meaning };
  });
}

/** A comment as one line: without its stars, its tags and what follows its first list. */
function textOf(comment: string): string {
  const lines = comment
    .replace(/^\/\*\*/, "")
    .replace(/\*\/\s*$/, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, "").trim());
  const end = lines.findIndex((line, i) => /^@/.test(line) || (line === "" && i > 1));
  return (end < 0 ? lines : lines.slice(0, end)).join(" ").trim().replaceAll(/\s+/g, " ");
}

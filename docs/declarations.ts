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
  for (const source of sourcesOf(...rooms)) {
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

/** A type that is nothing but words. */
export interface Words {
  readonly words: readonly string[];
  /** What its comment, or that of its list of words, says. */
  readonly meaning: string;
}

/** Every such type that a room exports. */
export function wordsOf(...rooms: readonly string[]): ReadonlyMap<string, Words> {
  const source = sourcesOf(...rooms).join("\n");
  const doc = String.raw`(?:(/\*\*(?:(?!\*/)[\s\S])*\*/)\n)?`;
  const entries = (pattern: string) =>
    [...source.matchAll(new RegExp(doc + pattern, "g"))].map(
      ([, comment = "", name = "", text = ""]) =>
        [name, { text, meaning: textOf(comment) }] as const,
    );
  const lists = new Map(entries(String.raw`(?:export )?const (\w+)(?:: [^=\n]+)? = (\[[^\]]*\])`));
  const aliases = new Map(entries(String.raw`export type (\w+) =\s+([^;{]+);`));
  const listOf = (type: string) => lists.get(/^\(typeof (\w+)\)\[number\]$/.exec(type)?.[1] ?? "");
  /** Undefined where any part of the type is more than words. */
  const resolve = (type: string): string[] | undefined => {
    const parts = type.split("|").map((part) => {
      const text = part.trim();
      if (/^"[^"]*"$/.test(text)) return [text];
      const alias = aliases.get(text);
      if (alias !== undefined) return resolve(alias.text);
      return listOf(text)?.text.match(/"[^"]*"/g) ?? undefined;
    });
    return parts.every((part) => part !== undefined) ? parts.flat() : undefined;
  };
  const types = [
    ...aliases,
    ...[...lists].map(([name, { meaning }]) => {
      const text = `(typeof ${name})[number]`;
      return [text, { text, meaning }] as const;
    }),
  ];
  return new Map(
    types.flatMap(([name, { text, meaning }]) => {
      const words = resolve(text);
      if (words === undefined) return [];
      return [[name, { words, meaning: meaning || (listOf(text.trim())?.meaning ?? "") }]];
    }),
  );
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

/** Names of fields that share what is said of them, and what that is. */
export function byMeaning(fields: readonly Field[]): [names: string[], meaning: string][] {
  const groups = new Map<string, string[]>();
  for (const { name, meaning } of fields)
    groups.set(meaning, [...(groups.get(meaning) ?? []), name]);
  return [...groups].map(([meaning, names]) => [names, meaning]);
}

/** The sources of files, and of all files that lie in rooms. */
export function sourcesOf(...paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    if (path.endsWith(".ts")) return [readFileSync(`${ROOT}${path}`, "utf8")];
    const files = readdirSync(`${ROOT}${path}`).filter((file) => file.endsWith(".ts"));
    return files.sort().map((file) => readFileSync(`${ROOT}${path}/${file}`, "utf8"));
  });
}

/** A field without a comment of its own shares the one before it, if it is of the same type. */
function fieldsOf(body: string): Field[] {
  const pattern = /(\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*)?readonly (\w+)\??: ([\s\S]*?);\n/g;
  let last: Field | undefined;
  return [...`${body}\n`.matchAll(pattern)].map(([, doc, name = "", declared = ""]) => {
    const type = declared.replaceAll(/\s+/g, " ").replace(/ \| undefined$/, "");
    const shared = last?.type === type ? last.meaning : "";
    last = { name, type, meaning: doc === undefined ? shared : textOf(doc) };
    return last;
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

/** The reference of `papo` in the sections of its door: `// Tensors, on the host …` in lib/index.ts is a heading. */
import { readFileSync } from "node:fs";
import { type Application, CommentTag, type Context, Converter } from "typedoc";

/** Title of the section of every name that the door exports. */
export function sectionsOf(door: string): ReadonlyMap<string, string> {
  const sections = new Map<string, string>();
  for (const [, heading = "", body = ""] of door.matchAll(/^\/\/ (.+)\n((?:(?!^\/\/ ).*\n?)*)/gm)) {
    const title = heading.replace(/[,.:].*$/, "");
    for (const [, list = ""] of body.matchAll(/^export (?:type )?\{([^}]*)\}/gm)) {
      const names = list.split(",").map((name) => name.trim().replace(/^type /, ""));
      for (const name of names.filter((name) => name !== "")) sections.set(name, title);
    }
    for (const [, name = ""] of body.matchAll(/^export \* as (\w+)/gm)) sections.set(name, title);
  }
  return sections;
}

export function arrangeSections(application: Application, door: string): void {
  const sections = sectionsOf(readFileSync(door, "utf8"));
  application.options.setValue("categoryOrder", [...new Set(sections.values()), "*"]);
  // Before categories are made of the tags.
  application.converter.on(Converter.EVENT_RESOLVE_BEGIN, (context: Context) => {
    const module = context.project.children?.find(({ name }) => name === "papo");
    for (const child of module?.children ?? []) {
      const title = sections.get(child.name);
      if (title === undefined) throw new Error(`${child.name} is in no section of ${door}`);
      for (const { comment } of [child, ...(child.signatures ?? [])]) {
        comment?.blockTags.push(new CommentTag("@category", [{ kind: "text", text: title }]));
      }
    }
  });
}

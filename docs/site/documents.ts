/** Pages of Markdown in the site: title, place in the navigation and address of each. */
import { readFileSync } from "node:fs";
import { relative } from "node:path";
import {
  type Application,
  Converter,
  type DocumentReflection,
  KindRouter,
  PageEvent,
  Reflection,
  type RouterTarget,
} from "typedoc";
import { PAGES, slugOf } from "./pages.js";

export function arrangeDocuments(application: Application, root: string): void {
  const slugs = new WeakMap<object, string>();
  application.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_, document: DocumentReflection) => {
    const file = document.project.files.getReflectionPath(document) ?? "";
    const path = relative(root, file);
    const [group] = Object.entries(PAGES).find(([, paths]) => paths.includes(path)) ?? [];
    if (group === undefined) throw new Error(`${path} is in no group of pages`);
    document.frontmatter.group = group;
    document.name = titleOf(file);
    slugs.set(document, slugOf(path));
  });

  class PageRouter extends KindRouter {
    protected override getIdealBaseName(target: RouterTarget): string {
      const slug = slugs.get(target);
      if (slug !== undefined) return slug;
      if (target instanceof Reflection) return super.getIdealBaseName(target);
      throw new Error(`no address for ${target.name}`);
    }
  }
  application.renderer.defineRouter("pages", PageRouter);
  application.options.setValue("router", "pages");
  // A folder that is opened without a server shows its files and not its first page.
  application.renderer.on(PageEvent.END, (page: PageEvent) => {
    page.contents = (page.contents ?? "").replaceAll(
      /(href="(?:\.\.?\/)+)(?=[#"])/g,
      "$1index.html",
    );
  });
}

/** The first heading of a file. */
function titleOf(file: string): string {
  const [, title] = /^# (.+)$/m.exec(readFileSync(file, "utf8")) ?? [];
  if (title === undefined) throw new Error(`${file} has no title`);
  return title.replaceAll("`", "");
}

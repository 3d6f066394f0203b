/** The pages that are made, not written; tests hold each to what its tables and measurements give. */
import { benchmarksPage } from "./benchmarks-page.js";
import { compatibilityPage } from "./compatibility-page.js";
import { numericsPage } from "./numerics-page.js";
import { objectivesPage } from "./objectives-page.js";

export const MADE_PAGES: Readonly<Record<string, () => string>> = {
  "docs/objectives.md": objectivesPage,
  "docs/numerics.md": () => numericsPage(),
  "docs/benchmarks.md": () => benchmarksPage(),
  "docs/compatibility.md": () => compatibilityPage(),
};

/** TypeDoc as the site uses it: the doors of the package, the pages, and what has to be documented. */
import { fileURLToPath } from "node:url";
import { Application } from "typedoc";
import { arrangeDocuments } from "./documents.js";
import { DOORS, PAGES } from "./pages.js";
import { arrangeSections } from "./sections.js";
import { spellTypes } from "./words.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Shapes of types that have no page; what is made of them says in words what they are. */
const NAMELESS = [
  "Alias",
  "PartOf",
  "PartInput",
  "ParameterOf",
  "SpecOf",
  "Entry",
  "Inputs",
  "Gradients",
  "Line",
  "Wide",
  "Point",
  "PapoLossBatch",
  "PapoLossLimits",
  "DTypeArrays",
  "SafetensorsArrays",
  "NEEDED",
  "Outputs",
  "Rest",
  "FrameworkBatch",
  "FrameworkOptions",
];

/** @param out  the folder that the site is written to */
export async function siteApplication(out: string): Promise<Application> {
  const application = await Application.bootstrapWithPlugins({
    name: "papo",
    entryPoints: Object.values(DOORS).map((path) => `${ROOT}${path}`),
    projectDocuments: Object.values(PAGES)
      .flat()
      .map((path) => `${ROOT}${path}`),
    readme: `${ROOT}README.md`,
    tsconfig: `${ROOT}tsconfig.build.json`,
    basePath: ROOT,
    out,
    customCss: `${ROOT}docs/site/site.css`,
    customJs: `${ROOT}docs/site/browser.js`,
    includeVersion: true,
    hideGenerator: true,
    includeHierarchySummary: false,
    headings: { readme: false, document: false },
    cacheBust: false,
    searchInComments: true,
    searchInDocuments: true,
    highlightLanguages: [
      "typescript",
      "javascript",
      "shellscript",
      "json",
      "jsonc",
      "python",
      "cpp",
      "yaml",
    ],
    ignoredHighlightLanguages: ["text"],
    groupOrder: [...Object.keys(PAGES), "*"],
    categorizeByGroup: false,
    sort: ["source-order"],
    sortEntryPoints: false,
    navigation: { includeGroups: true, includeCategories: true, includeFolders: false },
    excludePrivate: true,
    excludeInternal: true,
    excludeExternals: true,
    excludeReferences: true,
    // Links to sources need a remote, which a checkout may not have; the pages are the same in all of them.
    disableSources: true,
    intentionallyNotExported: NAMELESS,
    treatWarningsAsErrors: true,
    treatValidationWarningsAsErrors: true,
    validation: {
      notExported: true,
      invalidLink: true,
      invalidPath: true,
      rewrittenLink: true,
      notDocumented: true,
      unusedMergeModuleWith: true,
    },
    logLevel: "Warn",
  });
  spellTypes(application);
  arrangeSections(application, `${ROOT}${DOORS.papo}`);
  arrangeDocuments(application, ROOT);
  return application;
}

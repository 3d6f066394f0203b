/** What the site is made of: the doors of the package, and the pages, in their order. */

/** Every sub-path export, by the file that its `types` come from. */
export const DOORS: Readonly<Record<string, string>> = {
  papo: "lib/index.ts",
  "papo/masking": "lib/masking/index.ts",
  "papo/rewards": "lib/rewards/index.ts",
  "papo/monitor": "lib/monitor/index.ts",
  "papo/tfjs": "lib/adapters/tfjs.ts",
  "papo/jax": "lib/adapters/jax.ts",
  "papo/reference": "lib/reference/index.ts",
};

/** Headings of the navigation, with the files below each; a page's title is its first heading. */
export const PAGES: Readonly<Record<string, readonly string[]>> = {
  Guides: [
    "docs/getting-started.md",
    "docs/presets.md",
    "docs/embed.md",
    "docs/onnxruntime.md",
    "docs/audit.md",
    "docs/monitor.md",
    "lib/masking/README.md",
    "docs/cuda.md",
    "docs/custom-objective.md",
    "docs/add-an-op.md",
  ],
  Facts: [
    "docs/objectives.md",
    "docs/numerics.md",
    "docs/benchmarks.md",
    "docs/compatibility.md",
    "native/math/README.md",
    "bench/results/README.md",
    "bench/results/experiments/README.md",
    "SECURITY.md",
    "CHANGELOG.md",
  ],
  Rooms: [
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "lib/addon/README.md",
    "lib/advantages/README.md",
    "lib/cli/README.md",
    "lib/cuda/README.md",
    "lib/objective/README.md",
    "lib/peers/README.md",
    "lib/surrogates/README.md",
    "native/README.md",
    "test/README.md",
    "test/golden/README.md",
    "test/golden/peers/README.md",
    "test/native/shim/README.md",
    "bench/README.md",
    "bench/gpu/README.md",
    "bench/native/README.md",
    "examples/README.md",
    "docs/README.md",
  ],
};

/** Every page, the first one included. */
export const SITE_PAGES: readonly string[] = ["README.md", ...Object.values(PAGES).flat()];

/** Address of a page: `docs/embed.md` is `embed`, `native/math/README.md` is `native-math`, the first one `index`. */
export function slugOf(path: string): string {
  const name = path.replace(/^docs\/(?!README)/, "").replace(/(?:^|\/)README\.md$|\.md$/, "");
  return name.toLowerCase().replaceAll("/", "-") || "index";
}

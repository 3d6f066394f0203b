/** The plots: whole documents that say what the result says, the same bytes each time. */
import test from "ava";
import { JSDOM } from "jsdom";
import { PLOTS } from "../../bench/plots/plots.js";
import type { BenchResult } from "../../bench/result.js";
import { syntheticResult } from "./synthetic.js";

const result = syntheticResult();
const svgOf = (file: string, of: BenchResult = result): string => {
  const plot = PLOTS.find((each) => each.file === file);
  return plot?.draw(of)?.svg ?? "";
};
/** Throws where the text is not XML. */
const parsed = (svg: string): Document =>
  new new JSDOM("").window.DOMParser().parseFromString(svg, "image/svg+xml");

for (const { file } of PLOTS) {
  test(`${file}: an SVG document, named for screen readers, of its own style and nobody else's files`, (t) => {
    const svg = svgOf(file);
    const { documentElement: root } = parsed(svg);
    t.is(root.namespaceURI, "http://www.w3.org/2000/svg");
    t.is(root.tagName, "svg");
    t.is(root.firstElementChild?.tagName, "title");
    t.is(root.getAttribute("role"), "img");
    t.true((root.querySelector("desc")?.textContent?.length ?? 0) > 40);
    t.regex(root.querySelector("style")?.textContent ?? "", /prefers-color-scheme:dark/);
    t.deepEqual(svg.match(/\b(href|src|url|@import)\b|https?:(?!\/\/www\.w3\.org\/)/g), null);
    t.notRegex(svg, /NaN|undefined|Infinity/);
    t.true(svg.length < 40_000, `${svg.length} bytes`);
  });

  test(`${file}: the same result gives the same bytes`, (t) => {
    t.is(svgOf(file), svgOf(file, syntheticResult()));
  });
}

const texts = (file: string): string[] =>
  [...parsed(svgOf(file)).querySelectorAll("text")].map((text) =>
    (text.textContent ?? "").replaceAll("\u00a0", " "),
  );

test("peers: a bar for every contender and operation, each with its ratio", (t) => {
  const words = texts("peers");
  for (const word of ["papo, 2 threads", "ONNX Runtime, 2 threads", "jax-js, WASM, 1 thread"]) {
    t.true(words.includes(word), word);
  }
  t.true(words.includes("10×  (1.11)"));
  t.true(words.includes("127×  (33.1)"));
  t.is(parsed(svgOf("peers")).querySelectorAll("[aria-label=bar] rect").length, 22);
});

test("curves: a line and a floor for every form, ranges at every point", (t) => {
  for (const [file, points] of [
    ["vocabulary", 5],
    ["rows", 13],
    ["threads", 4],
  ] as const) {
    const document = parsed(svgOf(file));
    t.is(document.querySelectorAll("[aria-label=line] path").length, 6, file);
    t.is(document.querySelectorAll("[stroke-dasharray] path").length, 3, file);
    t.is(document.querySelectorAll("[aria-label=dot] circle").length, 3 * points, file);
    t.is(document.querySelectorAll("[aria-label=rule] line").length, 3 * points + 1, file);
    for (const form of ["forward", "with gradients", "… in place"])
      t.true(texts(file).includes(form));
  }
});

test("a label never lies on another", (t) => {
  for (const file of ["vocabulary", "rows", "threads"]) {
    const places = [...parsed(svgOf(file)).querySelectorAll("[aria-label=text]")].map((group) => {
      const shift = /translate\(.*,([-\d.]+)\)/;
      const y = (element: Element | null) =>
        Number(element?.getAttribute("transform")?.match(shift)?.[1] ?? 0);
      return y(group) + y(group.querySelector("text"));
    });
    const sorted = places.toSorted((a, b) => a - b);
    t.is(sorted.length, 3);
    for (const [at, place] of sorted.slice(1).entries())
      t.true(place - (sorted[at] as number) > 14);
  }
});

test("shares: a dot for every form and number of threads, the floor at 100 %", (t) => {
  const document = parsed(svgOf("shares"));
  t.is(document.querySelectorAll("[aria-label=dot] circle").length, 18);
  for (const word of ["floor", "100 %", "bfloat16", "forward + gradients, in place"]) {
    t.true(texts("shares").includes(word), word);
  }
});

test("a result without a part has no plot of it", (t) => {
  for (const { draw } of PLOTS) t.is(draw({ ...result, parts: [] }), undefined);
});

/**
 * A plot as a document of its own: title, style for light and dark pages, names for screen readers. The same input gives the
 * same bytes.
 */
import * as Plot from "@observablehq/plot";
import { JSDOM } from "jsdom";

export interface Picture {
  /** For who cannot see it. */
  readonly description: string;
  readonly svg: string;
}

export interface Content {
  readonly title: string;
  /** What is drawn, on what. */
  readonly subtitle: string;
  readonly description: string;
  readonly plot: Plot.PlotOptions & { readonly width: number; readonly height: number };
}

/** Colours of a light page, with those that a dark one puts in their place. */
const DARK: Readonly<Record<string, string>> = {
  "#ffffff": "#0d1117",
  "#1f2328": "#f0f6fc",
  "#59636e": "#9198a1",
  "#0969da": "#4493f8",
  "#bc4c00": "#f0883e",
  "#1a7f37": "#3fb950",
};
// GitHub's own surfaces and text, so that the picture lies in the page; it brings its ground where the page has another.
export const SURFACE = "#ffffff";
export const INK = "#1f2328";
export const MUTED = "#59636e";
export const BLUE = "#0969da";
export const ORANGE = "#bc4c00";
export const GREEN = "#1a7f37";

/** Colours are attributes, which every renderer knows; a style, which wins over them, changes them where it is dark. */
const DARK_RULES = Object.entries(DARK).flatMap(([light, dark]) =>
  ["fill", "stroke", "color"].map((name) => `[${name}="${light}"]{${name}:${dark}}`),
);
const STYLE = `
svg{font-family:-apple-system,BlinkMacSystemFont,"Segoe UI","Noto Sans",Helvetica,Arial,sans-serif;font-variant-numeric:tabular-nums}
@media(prefers-color-scheme:dark){${DARK_RULES.join("")}}
text{white-space:pre}
`;
/** Two of this size stand side by side. */
export const NARROW = { width: 420, height: 276 } as const;
const SVG = "http://www.w3.org/2000/svg";
const HEAD = 56;

export function framed({ title, subtitle, description, plot }: Content): Picture {
  const { window } = new JSDOM("");
  const { document } = window;
  const { width, height } = plot;
  const element = (name: string, attributes: Record<string, string | number>, text = "") => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
    made.textContent = text;
    return made;
  };

  const drawing = Plot.plot({ ...plot, document });
  drawing.querySelector("style")?.remove();
  for (const name of ["class", "font-family"]) drawing.removeAttribute(name);
  drawing.setAttribute("font-size", "12");
  drawing.setAttribute("y", String(HEAD));

  const size = { width, height: HEAD + height };
  const root = element("svg", {
    ...size,
    viewBox: `0 0 ${size.width} ${size.height}`,
    role: "img",
    color: MUTED,
    "aria-labelledby": "title description",
  });
  root.append(
    element("title", { id: "title" }, title),
    element("desc", { id: "description" }, description),
    element("style", {}, STYLE),
    element("rect", { ...size, fill: SURFACE }),
    element("text", { x: 8, y: 20, fill: INK, "font-size": 15, "font-weight": 600 }, title),
    element("text", { x: 8, y: 40, fill: MUTED, "font-size": 12 }, subtitle),
    drawing,
  );
  for (const each of root.querySelectorAll("*")) shorten(each);
  return { description, svg: `${new window.XMLSerializer().serializeToString(root)}\n` };
}

/** Hundredths of a pixel are enough. */
function shorten(element: Element): void {
  for (const { name, value } of [...element.attributes]) {
    const short = value.replace(/-?\d+\.\d{3,}/g, (number) =>
      String(Number(Number(number).toFixed(2))),
    );
    if (short !== value) element.setAttribute(name, short);
  }
}

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

/** Colours that the style below defines for light and for dark pages. */
export const INK = "var(--ink)";
export const MUTED = "var(--muted)";
export const BLUE = "var(--blue)";
export const ORANGE = "var(--orange)";
export const GREEN = "var(--green)";
export const SURFACE = "var(--surface)";

/** GitHub's own surfaces and text, so that the picture lies in the page; it brings its ground where the page has another. */
const STYLE = `
svg{--surface:#fff;--ink:#1f2328;--muted:#59636e;--blue:#0969da;--orange:#bc4c00;--green:#1a7f37;color:var(--muted);font-family:-apple-system,BlinkMacSystemFont,"Segoe UI","Noto Sans",Helvetica,Arial,sans-serif;font-variant-numeric:tabular-nums}
@media(prefers-color-scheme:dark){svg{--surface:#0d1117;--ink:#f0f6fc;--muted:#9198a1;--blue:#4493f8;--orange:#f0883e;--green:#3fb950}}
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

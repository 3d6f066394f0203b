/** Plots as SVG for a page whose colours are CSS variables, drawn without a browser. */
import * as Plot from "@observablehq/plot";
import { JSDOM } from "jsdom";

/** Names of the page's palette (style.ts has their values, for light and dark). */
export type Colour = "blue" | "orange" | "green" | "red" | "violet" | "ink" | "muted";

/** The palette's colour as CSS. */
export function css(colour: Colour): string {
  return `var(--${colour})`;
}

/** Width in pixels at which text has its size; on the page a plot takes the width that there is. */
export const WIDTH = 360;

/** An element for the page; `description` is for who cannot see it. */
export function draw(description: string, options: Plot.PlotOptions): string {
  const { document } = new JSDOM("").window;
  const svg = Plot.plot({ width: WIDTH, ...options, document });
  svg.querySelector("style")?.remove();
  for (const name of ["class", "width", "height", "font-family"]) svg.removeAttribute(name);
  svg.setAttribute("font-size", "12");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", description);
  for (const element of svg.querySelectorAll("*")) shorten(element);
  return svg.outerHTML;
}

/** Tenths of a pixel are enough. */
function shorten(element: Element): void {
  for (const { name, value } of [...element.attributes]) {
    const short = value.replace(/-?\d+\.\d{2,}/g, (number) =>
      String(Number(Number(number).toFixed(1))),
    );
    if (short !== value) element.setAttribute(name, short);
  }
}

/** Line plots as SVG, without a browser. */
import * as Plot from "@observablehq/plot";
import { JSDOM } from "jsdom";

/** Some lines over the batches of a run, by name. */
export interface Curves {
  /** Name of the file, without its ending. */
  readonly file: string;
  readonly title: string;
  readonly lines: Readonly<Record<string, readonly number[]>>;
}

const COLOURS = ["#2f6bd8", "#d8702f"];

/** The plot as a document of its own. */
export function plotSvg({ title, lines }: Curves): string {
  const { document } = new JSDOM("").window;
  const names = Object.keys(lines);
  const marks = names.flatMap((name, at) => {
    const points = (lines[name] as readonly number[]).map(
      (value, batch) => [batch + 1, value] as const,
    );
    const colour = COLOURS[at] as string;
    // Above the frame, where no line runs.
    const label = {
      text: [name],
      frameAnchor: "top-right",
      dy: 14 * at - 32,
      fill: colour,
    } as const;
    return [Plot.line(points, { stroke: colour, strokeWidth: 1.8 }), Plot.text([name], label)];
  });
  const svg = Plot.plot({
    document,
    width: 520,
    height: 240,
    marginTop: 40,
    x: { label: "batch of rollouts" },
    y: { label: title, grid: true, zero: true, nice: true },
    marks,
  });
  // Without its name space a browser would not draw the file.
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  return svg.outerHTML;
}

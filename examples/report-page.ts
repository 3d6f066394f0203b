/** The page of a run: its table, its plots, and what the policy answered about some held-out images. */
import type { Run } from "./report.js";
import { IMAGE_SIZE, say } from "./world.js";

const SAMPLES = 12;

export function pageOf(run: Run, table: readonly string[][], plots: readonly string[]): string {
  const [head, ...rows] = table;
  const cells = (tag: string, row: readonly string[] = []): string =>
    `<tr>${row.map((cell) => `<${tag}>${cell.trim()}</${tag}>`).join("")}</tr>`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>PAPO-G, seed ${run.seed}</title>
<style>
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 1080px; margin: 2rem auto; padding: 0 1rem; }
  td, th { padding: 0.15rem 0.8rem; text-align: right; }
  td:first-child, th:first-child { text-align: left; }
  .plots, .samples { display: flex; flex-wrap: wrap; gap: 1.2rem; }
  .samples figure { width: 240px; margin: 0; }
  .samples img { width: 112px; image-rendering: pixelated; }
  .right { color: #17803d; } .wrong { color: #c02626; }
</style>
<h1>A policy learns to look</h1>
<p>PAPO-G, seed ${run.seed}, ${run.steps.length} batches of rollouts, ${run.seconds.toFixed(0)} s.</p>
<table>${cells("th", head)}${rows.map((row) => cells("td", row)).join("")}</table>
<div class="plots">${plots.join("")}</div>
<h2>Held-out images</h2>
<div class="samples">${run.heldOut
    .slice(0, SAMPLES)
    .map((_, at) => sampleOf(run, at))
    .join("")}</div>
</html>
`;
}

/** One held-out problem: both images, the question, and the answers before and after. */
function sampleOf({ heldOut, heldOutMasked, before, after }: Run, at: number): string {
  const problem = heldOut[at] as Run["heldOut"][number];
  const truth = say(problem.answer);
  const said = (name: string, answers: readonly number[][]): string => {
    const answer = say(answers[at] as number[]);
    return `${name}: <span class="${answer === truth ? "right" : "wrong"}">${answer}</span>`;
  };
  const picture = (image: Float32Array): string => `<img alt="" src="${bitmapOf(image)}">`;
  return `<figure>${picture(problem.image)} ${picture(heldOutMasked[at] as Float32Array)}
<figcaption><b>${say(problem.question)}</b> (${truth})<br>
${said("before", before.seeing.answers)}<br>${said("after", after.seeing.answers)}<br>
${said("after, masked", after.masked.answers)}</figcaption></figure>`;
}

/** An image as the data URL of an uncompressed bitmap: the one picture format that needs no encoder. */
function bitmapOf(image: Float32Array): string {
  const header = 54;
  const pixels = IMAGE_SIZE * IMAGE_SIZE;
  const bytes = Buffer.alloc(header + pixels * 3);
  bytes.write("BM");
  bytes.writeUInt32LE(bytes.length, 2);
  bytes.writeUInt32LE(header, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(IMAGE_SIZE, 18);
  // A negative height says that rows run from the top. Rows of IMAGE_SIZE · 3 bytes need no padding to four.
  bytes.writeInt32LE(-IMAGE_SIZE, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(24, 28);
  for (let at = 0; at < pixels * 3; at++) {
    // Bitmaps hold blue, green, red.
    const value = image[at - (at % 3) + 2 - (at % 3)] as number;
    bytes[header + at] = Math.round(255 * value);
  }
  return `data:image/bmp;base64,${bytes.toString("base64")}`;
}

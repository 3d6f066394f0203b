/**
 * `npm run docs:site`: guides and reference as static HTML in build/site; fails where anything is wrong with them.
 *
 *   npm run docs:site -- --external     lists the addresses of other hosts, which nobody fetches
 */
import { fileURLToPath } from "node:url";
import { buildSite } from "./site.js";

const start = performance.now();
const out = fileURLToPath(new URL("../../build/site", import.meta.url));
const { problems, pages, links, external } = await buildSite(out);
for (const problem of problems) console.error(problem);
if (process.argv.includes("--external")) for (const address of external) console.log(address);
const counts = `${pages} pages, ${links} links, ${external.length} addresses elsewhere`;
const seconds = ((performance.now() - start) / 1000).toFixed(1);
console.log(`${counts}, ${problems.length} problems, ${seconds} s: build/site/index.html`);
process.exitCode = problems.length === 0 ? 0 : 1;

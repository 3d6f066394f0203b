/** `npm run docs`: writes the pages that are made. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { MADE_PAGES } from "./made-pages.js";

for (const [path, page] of Object.entries(MADE_PAGES)) {
  writeFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), page());
  console.log(`written: ${path}`);
}

/** `npm run docs`: writes docs/objectives.md. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { objectivesPage, PAGE } from "./page.js";

writeFileSync(fileURLToPath(new URL(`../${PAGE}`, import.meta.url)), objectivesPage());
console.log(`written: ${PAGE}`);

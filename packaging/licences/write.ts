/** `npm run licences`: writes THIRD-PARTY-NOTICES.txt and sbom.cdx.json, after a change of a dependency or of the version. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { LICENCE_FILES } from "./files.js";
import { ROOT } from "./manifest.js";

for (const [name, text] of Object.entries(LICENCE_FILES)) {
  writeFileSync(join(ROOT, name), text());
  console.log(`written: ${name}`);
}

/** Which files say what is not papo's own, and how each is made. */
import { bill } from "./bill.js";
import { notices } from "./notices.js";

export const LICENCE_FILES: Readonly<Record<string, () => string>> = {
  "THIRD-PARTY-NOTICES.txt": notices,
  "sbom.cdx.json": () => `${JSON.stringify(bill(), null, 2)}\n`,
};

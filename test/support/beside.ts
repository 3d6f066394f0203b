/** Programs that lie beside a test. */
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

/** What Node takes to run one as it runs the test itself: as TypeScript, or where that was compiled, as JavaScript. */
export function programBeside(test: string, name: string): string[] {
  const path = `./${name}${extname(fileURLToPath(test))}`;
  return [...process.execArgv, fileURLToPath(new URL(path, test))];
}

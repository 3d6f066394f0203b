/** Brings up to date what is measured. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** Runs the scripts that build it; throws with their output where one fails. */
export function build(scripts: readonly string[]): void {
  for (const script of scripts) {
    try {
      execFileSync("npm", ["run", "--silent", script], { cwd: ROOT, stdio: "pipe" });
    } catch (error) {
      const { stdout, stderr } = error as { stdout?: Buffer; stderr?: Buffer };
      throw new Error(`npm run ${script} failed\n${stdout ?? ""}${stderr ?? ""}`);
    }
  }
}

/** `npm run stress`: the scenes again and again, with other seeds, for as long as one likes. `--help` says how. */
import { type ExecFileSyncOptions, execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "commander";
import { runFile } from "./child.js";
import { SCENES } from "./scenes.js";

interface Options {
  readonly minutes: number;
  readonly only?: string;
  readonly seed?: number;
  readonly races?: boolean;
}

const program = new Command("npm run stress --")
  .description("Runs the scenes of test/lifetimes in their long form, in a process each time.")
  .option("--minutes <n>", "how long; every scene runs once at least", number, 5)
  .option("--only <name>", `one scene: ${Object.keys(SCENES).join(", ")}`)
  .option("--seed <n>", "the first seed; later ones count on from it", number)
  .option("--races", "the addon under ThreadSanitizer (builds it), scenes in their short form")
  .action(main);

await program.parseAsync();

async function main({ minutes, only, seed: first, races = false }: Options): Promise<void> {
  const names = Object.keys(SCENES).filter((name) => only === undefined || name === only);
  if (names.length === 0) program.error(`there is no scene ${only}`);
  const env = races ? raceDetector() : {};
  const end = performance.now() + minutes * 60_000;
  const failed: string[] = [];
  let seed = first ?? Math.floor(Math.random() * 2 ** 31);
  let turns = 0;
  for (; turns === 0 || performance.now() < end; turns++, seed++) {
    for (const name of names) {
      const { rounds, long } = SCENES[name] as (typeof SCENES)[string];
      const ran = await turn(name, races ? rounds : long, seed, env);
      if (!ran) failed.push(`npm run stress -- --only ${name} --seed ${seed}`);
      if (turns > 0 && performance.now() > end) break;
    }
  }
  console.log(failed.length === 0 ? `${turns} turns, no failure` : failed.join("\n"));
  process.exitCode = failed.length === 0 ? 0 : 1;
}

/** Runs a scene, says what came of it, and whether its claim held. */
async function turn(
  name: string,
  rounds: number,
  seed: number,
  env: Readonly<Record<string, string>>,
): Promise<boolean> {
  const begin = performance.now();
  const { code, signal, stdout, stderr } = await runFile(
    "scene-child.ts",
    [`${seed}`, `${name}=${rounds}`],
    { env },
  );
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  const ok = code === 0 && stderr === "" && stdout.includes(`${name}: done`);
  console.log(`${ok ? "ok  " : "FAIL"} ${name}, seed ${seed}, ${rounds} rounds, ${seconds} s`);
  const said = stdout.replace(`${name}: done\n`, "").trim();
  if (said !== "") console.log(`     ${said}`);
  if (!ok) console.log(`     ${signal ?? `code ${code}`}\n${stderr}`);
  return ok;
}

/** Builds the addon under ThreadSanitizer; its library has to be in the process before anything else. */
function raceDetector(): Record<string, string> {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const inherit: ExecFileSyncOptions = { cwd: root, stdio: ["ignore", "ignore", "inherit"] };
  execFileSync("cmake", ["--preset", "tsan-addon"], inherit);
  execFileSync("cmake", ["--build", "--preset", "tsan-addon"], inherit);
  const library = execFileSync("cc", ["-print-file-name=libtsan.so"], { encoding: "utf8" }).trim();
  return {
    LD_PRELOAD: library,
    PAPO_ADDON_PATH: `${root}build/tsan-addon/papo.node`,
    PAPO_NUM_THREADS: "4",
    // Node is not instrumented: what it does among its own threads cannot be judged.
    TSAN_OPTIONS: "exitcode=66 ignore_noninstrumented_modules=1",
  };
}

function number(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError("a number from 0 up is needed");
}

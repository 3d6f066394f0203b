/** `npm start` as its user has it: a process that ends with a table and a page, or with one clear line. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { ROOT } from "../structure/files.js";

const folder = mkdtempSync(join(tmpdir(), "papo-train-"));
const temporary = join(folder, "temporary");
mkdirSync(temporary);
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

const TINY = ["--batches", "4", "--cold-start-steps", "4"];

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command; `interruptAt` is what it has said when it gets a Ctrl-C. */
async function start(options: readonly string[], interruptAt?: RegExp): Promise<Ended> {
  const child = spawn(process.execPath, ["--import=tsx", "examples/train.ts", ...options], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, TMPDIR: temporary, NO_COLOR: "1" },
  });
  let [stdout, stderr, interrupted] = ["", "", false];
  child.stdout.on("data", (text: Buffer) => {
    stdout += text;
    if (interrupted || !interruptAt?.test(stdout)) return;
    interrupted = true;
    child.kill("SIGINT");
    // As npm does, which has it from the terminal as well.
    setTimeout(() => child.kill("SIGINT"), 20);
  });
  child.stderr.on("data", (text: Buffer) => {
    stderr += text;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}

/** Curves and table: all that does not depend on the clock. */
function numbersOf({ stdout }: Ended): string {
  return stdout.slice(stdout.indexOf("reward of the rollouts"), stdout.indexOf("wrong answers"));
}

test("a run ends with numbers and a page; cut by Ctrl-C and gone on with, with the same", async (t) => {
  const [page, checkpoint] = [join(folder, "pages", "whole.html"), join(folder, "new", "run")];
  const wholeRun = start([...TINY, "--page", page]);
  const cutPage = join(folder, "cut.html");
  const saving = [...TINY, "--page", cutPage, "--checkpoint", checkpoint];
  const cut = await start(saving, /papo-g +1\/4/);
  t.is(cut.code, 130, cut.stderr);
  t.regex(cut.stdout, /saved after batch [1-3]; the same command goes on from there\n$/);
  t.false(existsSync(cutPage));
  const resumed = await start(saving);
  const whole = await wholeRun;
  t.deepEqual([whole.code, whole.stderr], [0, ""]);
  t.deepEqual([resumed.code, resumed.stderr], [0, ""]);
  t.regex(resumed.stdout, /run has [1-3] of the batches/);
  t.notRegex(resumed.stdout, /cold start/);
  const rows =
    /\nall( +\d+\.\d %){4}\nvision-dependent( +\d+\.\d %){4}\ntext-aided( +\d+\.\d %){4}\n/;
  t.regex(numbersOf(whole), rows);
  t.is(numbersOf(resumed), numbersOf(whole));
  const html = readFileSync(page, "utf8");
  t.true(html.includes("papo-g, seed 1"));
  t.is(html.split("<dt>truth</dt>").length - 1, 24, "problems, three of each kind");
  // The words of the trained policy are those of the resumed one.
  const samplesOf = (text: string) => text.slice(text.indexOf("Held-out problems"));
  t.is(samplesOf(readFileSync(cutPage, "utf8")), samplesOf(html));
  t.deepEqual(
    readdirSync(temporary).filter((name) => name.startsWith("papo")),
    [],
    "nothing is left in the folder for temporary files",
  );
  const other = await start([...saving, "--seed", "2"]);
  t.deepEqual([other.code, other.stderr.split("\n").length], [1, 2], other.stderr);
  t.regex(other.stderr, /^error: .*checkpoint of another run: it differs in seed\n$/);
});

test("Ctrl-C in the cold start ends it, and leaves nothing", async (t) => {
  const checkpoint = join(folder, "none");
  const { code, stdout, stderr } = await start(
    ["--cold-start-steps", "40", "--checkpoint", checkpoint],
    /cold start +10\/40/,
  );
  t.deepEqual([code, stderr], [130, ""]);
  t.regex(stdout, /nothing is kept\n$/);
  t.false(existsSync(checkpoint));
});

const broken = join(folder, "broken");
writeFileSync(broken, "no run\n");
const WRONG: readonly (readonly [readonly string[], RegExp])[] = [
  [["--batches", "0"], /'--batches <n>'.*whole number from 1 up/],
  [["--preset", "grop"], /did you mean "grpo"\?/],
  [["--checkpoint", folder], /is a folder/],
  [["--checkpoint", broken], /broken/],
];
for (const [options, message] of WRONG) {
  test(`${options.join(" ").replace(folder, "")}: one line, and no run`, async (t) => {
    const { code, stdout, stderr } = await start(options);
    t.is(code, 1);
    t.regex(stderr, message);
    t.regex(stderr, /^error: [^\n]+\n$/);
    t.notRegex(stdout, /cold start/);
  });
}

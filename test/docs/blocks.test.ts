/** Every code block of README and guides: programs print what they say, commands do, pieces of files are in them. */
import { execFile } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { SITE_PAGES } from "../../docs/site/pages.js";
import { completed, TYPES_ONLY } from "./preludes.js";
import { type Block, blocksOf, LOADER, printed, promised, ROOT } from "./programs.js";
import { commandsOf, isKnown } from "./shell-lines.js";

/** Their programs run in tests of their own, which know more about them. */
const ELSEWHERE = [
  "docs/custom-objective.md",
  "docs/embed.md",
  "docs/monitor.md",
  "docs/onnxruntime.md",
];

const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

test("no block is of a language that nobody tries", (t) => {
  const languages = new Set(SITE_PAGES.flatMap(blocksOf).map(({ language }) => language));
  t.deepEqual([...languages].sort(), ["cpp", "js", "python", "sh", "text", "ts"]);
});

test("every piece of C++ names its file", (t) => {
  const quoted = SITE_PAGES.flatMap(blocksOf).filter(({ language }) => language === "cpp");
  t.true(quoted.length > 0);
  t.true(quoted.every(({ file }) => file !== undefined));
});

for (const page of SITE_PAGES) {
  const blocks = blocksOf(page);
  for (const { file, code, line } of blocks.filter(({ file }) => file !== undefined)) {
    test(`${page}:${line} is a piece of ${file}`, (t) => {
      t.true(readFileSync(join(ROOT, file as string), "utf8").includes(code));
    });
  }

  const programs = blocks.filter(({ file, language }) => !file && language !== "text");
  if (programs.length === 0 || ELSEWHERE.includes(page) || TYPES_ONLY.includes(page)) continue;

  test(`the programs and commands of ${page}, from the first to the last`, async (t) => {
    t.timeout(600_000);
    const folder = mkdtempSync(join(tmpdir(), "papo-docs-"));
    try {
      const golden = join(ROOT, "test/golden/odd-plain-papo_g_7b.safetensors");
      copyFileSync(golden, join(folder, "batch.safetensors"));
      for (const block of programs) await tryBlock(t, page, block, folder);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

async function tryBlock(
  t: ExecutionContext,
  page: string,
  block: Block,
  folder: string,
): Promise<void> {
  const { language, code, line } = block;
  const where = `${page}:${line}`;
  if (language === "sh") await tryCommands(t, where, code, folder);
  else if (language === "python") await tryPython(t, where, code, folder);
  else {
    const lines = await printed(completed(page, code), folder);
    const expected = promised(code);
    if (expected.length > 0) t.deepEqual(lines, expected, where);
    else t.notRegex(lines.join("\n"), /NaN|undefined/, where);
  }
}

/**
 * `papo …` runs; of what takes minutes or a machine of its own, it is seen that it exists. `papo build` would put another
 * addon under the tests that run meanwhile: test/cli/build.test.ts tries it on sources of its own.
 */
async function tryCommands(
  t: ExecutionContext,
  where: string,
  code: string,
  folder: string,
): Promise<void> {
  for (const { words, comment } of commandsOf(code)) {
    const line = words.join(" ");
    if (words[0] !== "papo" || /^papo build|\*|--device/.test(line)) {
      t.true(isKnown(words, scripts), `${where}: ${line}`);
      continue;
    }
    const [, wanted = "0"] = /^exit code (\d+)/.exec(comment) ?? [];
    const ran = await run(process.execPath, [...PAPO, ...words.slice(1)], folder);
    t.is(ran.code, Number(wanted), `${where}: ${line}\n${ran.output}`);
  }
}

/** Makes batch.safetensors anew, whose every expectation holds. */
async function tryPython(
  t: ExecutionContext,
  where: string,
  code: string,
  folder: string,
): Promise<void> {
  const python = process.env.PAPO_BENCH_PYTHON ?? "python3";
  if ((await run(python, ["-c", "import torch, safetensors"], folder)).code !== 0) {
    t.log(`${where}: no Python with torch and safetensors (PAPO_BENCH_PYTHON)`);
    return;
  }
  const made = await run(python, ["-c", code], folder);
  t.is(made.code, 0, `${where}\n${made.output}`);
  const checked = await run(process.execPath, [...PAPO, "check", "batch.safetensors"], folder);
  t.is(checked.code, 0, `${where}\n${checked.output}`);
}

const PAPO = [`--import=${LOADER}`, join(ROOT, "lib/cli/main.ts")];

function run(
  program: string,
  args: readonly string[],
  cwd: string,
): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise((resolve) => {
    execFile(program, args, { cwd }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 127;
      resolve({ code, output: stdout + stderr });
    });
  });
}

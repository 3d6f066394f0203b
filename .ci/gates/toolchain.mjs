// The compilers and how they are called: the flags come from the real build's own compile commands.
import { execFile } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { basename, delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { readPtx } from "./ptx.mjs";
import { readResources } from "./resources.mjs";
import { readSass } from "./sass.mjs";

const LONG = { maxBuffer: 1 << 30 };
const execute = promisify(execFile);

/** Runs a program; what it said of its failure is the error. */
async function run(program, words, options = LONG) {
  try {
    return await execute(program, words, options);
  } catch (error) {
    throw new Error(`${basename(program)} ${words.join(" ")}\n${error.stderr || error.message}`);
  }
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export class Toolchain {
  /** The toolchain, its build directory configured; undefined where there is no nvcc. */
  static async find({ build, only, targets, keep }) {
    const nvcc = process.env.CUDACXX || onPath("nvcc");
    if (!nvcc) return undefined;
    const toolchain = new Toolchain();
    toolchain.nvcc = nvcc;
    toolchain.build = resolve(ROOT, build);
    toolchain.keep = keep;
    // nvcc on PATH may be a wrapper; where it keeps its tools it tells itself.
    const { stderr } = await run(nvcc, ["--dryrun", "-cubin", "-x", "cu", "/dev/null"]);
    const top = /^#\$ TOP=(.*)$/m.exec(stderr)?.[1];
    const bin = top ? join(top, "bin") : dirname(nvcc);
    toolchain.ptxas = executable(join(bin, "ptxas")) ?? onPath("ptxas");
    toolchain.nvdisasm = executable(join(bin, "nvdisasm")) ?? onPath("nvdisasm");
    toolchain.filt = onPath("c++filt");
    if (!toolchain.ptxas) throw new Error("nvcc was found, but not its ptxas");
    toolchain.release =
      /release ([\d.]+)/.exec((await run(nvcc, ["--version"])).stdout)?.[1] ?? "?";
    await toolchain.#configure(only, targets);
    return toolchain;
  }

  description() {
    const sass = this.nvdisasm
      ? `machine code read with ${this.nvdisasm}`
      : "machine code not read: no nvdisasm";
    return `cuda gates: nvcc ${this.release}, targets ${this.targets.join(" ")}, ${sass}`;
  }

  async #configure(only, targets) {
    rmSync(this.build, { recursive: true, force: true });
    mkdirSync(this.build, { recursive: true });
    const choices = { PAPO_WITH_CUDA: "ON", PAPO_BUILD_ADDON: "OFF", PAPO_BUILD_TESTS: "OFF" };
    const defines = Object.entries({ ...choices, CMAKE_BUILD_TYPE: "Release" });
    await run(
      "cmake",
      ["-S", ROOT, "-B", this.build, ...defines.map(([name, value]) => `-D${name}=${value}`)],
      { env: { ...process.env, CUDACXX: this.nvcc } },
    );
    const commands = JSON.parse(readFileSync(join(this.build, "compile_commands.json"), "utf8"));
    const sources = commands.filter(({ file }) => file.endsWith(".cu"));
    if (sources.length === 0) throw new Error("the build has no .cu file");
    const architectures = [...sources[0].command.matchAll(/code=\[?sm_(\d+)/g)].map((m) => m[1]);
    const compute = [...sources[0].command.matchAll(/code=\[?compute_(\d+)/g)].map((m) => m[1]);
    this.shipped = [...new Set([...architectures, ...compute])].map(Number);
    this.targets = targets ? targets.split(",").map(Number) : this.shipped;
    this.sources = sources.map(({ file }) => file).filter((file) => basename(file).includes(only));
    this.flags = deviceFlags(sources[0]);
  }

  /** Every kernel of every source for every target. */
  async compileAll(targets = this.targets) {
    const jobs = this.sources.flatMap((file) => targets.map((target) => ({ file, target })));
    const compiled = await inPool(jobs, ({ file, target }) => this.compile(file, target));
    return compiled.flat();
  }

  /**
   * The kernels of one source for one target: resources as ptxas reports them, PTX, and machine code where it can be
   * read. The options are the self-test's.
   */
  async compile(file, target, { defines = [], ptxasFlags = [], edit } = {}) {
    const original = await this.ptx(file, target, defines);
    const ptx = edit ? edit(original) : original;
    const stem = `${this.#stem(file, target, defines)}${edit ? ".edited" : ""}`;
    if (edit) writeFileSync(`${stem}.ptx`, ptx);
    const { stdout, stderr } = await run(this.ptxas, [
      "-v",
      "-O3",
      `-arch=sm_${target}`,
      ...ptxasFlags,
      `${stem}.ptx`,
      "-o",
      `${stem}.cubin`,
    ]);
    const entries = readPtx(ptx);
    const resources = readResources(stdout + stderr);
    const sass = await this.#disassemble(stem);
    const names = await this.#demangle([...entries.keys()]);
    if (!this.keep) rmSync(`${stem}.cubin`);
    return [...entries].map(([symbol, statements], index) => ({
      source: basename(file),
      symbol,
      name: plainName(names[index]),
      target,
      statements,
      resources: resources.get(symbol),
      sass: sass?.get(symbol),
    }));
  }

  /** PTX of a source, made once. */
  async ptx(file, target, defines = []) {
    const path = `${this.#stem(file, target, defines)}.ptx`;
    if (!existsSync(path)) {
      const what = ["-ptx", `-arch=compute_${target}`, "-x", "cu", file, "-o", path];
      await run(this.nvcc, [...this.flags, ...defines, ...what]);
    }
    return readFileSync(path, "utf8");
  }

  #stem(file, target, defines) {
    return join(this.build, [basename(file, ".cu"), ...defines, `sm_${target}`].join("."));
  }

  async #disassemble(stem) {
    if (!this.nvdisasm) return undefined;
    try {
      const { stdout } = await run(this.nvdisasm, ["-c", `${stem}.cubin`]);
      if (this.keep) writeFileSync(`${stem}.sass`, stdout);
      return readSass(stdout);
    } catch {
      return undefined; // A disassembler older than the target; the summary counts what was not read.
    }
  }

  async #demangle(symbols) {
    if (!this.filt || symbols.length === 0) return symbols;
    const { stdout } = await run(this.filt, symbols);
    return stdout.trim().split("\n");
  }

  /** Runs `work` on every job, as many at once as there are processors. */
  inPool(jobs, work) {
    return inPool(jobs, work);
  }
}

/** A demangled kernel without return type, parameters and the namespaces it stands in. */
function plainName(name) {
  let depth = 0;
  let end = name.length;
  for (let at = 0; at < name.length; at++) {
    if (name[at] === "<") depth++;
    if (name[at] === ">") depth--;
    if (name[at] === "(" && depth === 0 && !name.startsWith("(anonymous namespace)", at)) {
      end = at;
      break;
    }
  }
  return name
    .slice(0, end)
    .replace(/^void /, "")
    .replace(/^(?:(?:\w+|\(anonymous namespace\))::)+/, "");
}

/** What of a compile command makes device code: definitions, include paths, optimisation, language. */
function deviceFlags({ command, directory }) {
  // CMake may keep include paths in a file of options.
  const words = shellWords(command).flatMap((word, index, all) => {
    if (word === "--options-file") return [];
    if (all[index - 1] !== "--options-file") return [word];
    return shellWords(readFileSync(resolve(directory, word), "utf8"));
  });
  const flags = [];
  for (const [index, word] of words.entries()) {
    if (word === "-isystem") flags.push(word, words[index + 1]);
    if (/^-(D|I|O|std=|-use_fast_math|-fmad|-maxrregcount|-extra-device|-expt)/.test(word)) {
      flags.push(word);
    }
  }
  return flags;
}

/** A command line as its words: quotes and backslashes as a shell reads them. */
function shellWords(command) {
  const words = [];
  for (const [raw] of command.matchAll(/(?:"(?:\\.|[^"\\])*"|\\.|[^\s"\\])+/g)) {
    words.push(raw.replace(/\\(.)|"/g, (_, escaped) => escaped ?? ""));
  }
  return words;
}

async function inPool(jobs, work) {
  const results = new Array(jobs.length);
  let next = 0;
  const worker = async () => {
    while (next < jobs.length) {
      const index = next++;
      results[index] = await work(jobs[index]);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, availableParallelism()) }, worker));
  return results;
}

function onPath(name) {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const found = folder && executable(join(folder, name));
    if (found) return found;
  }
  return undefined;
}

function executable(path) {
  try {
    accessSync(path, constants.X_OK);
    return path;
  } catch {
    return undefined;
  }
}

/** `papo build`, with tools that only pretend: what it asks for, what it leaves behind, and where the result is found. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import anyTest from "ava";
import { addon, findAddon } from "../../lib/addon/load.js";
import { type BuildOptions, buildAddon } from "../../lib/cli/build-addon.js";
import { findTools, OLDEST } from "../../lib/cli/build-tools.js";
import type { PapoError } from "../../lib/index.js";
import { write } from "../addon/broken-addons.js";
import { fakeTools, GOOD, sources, type Versions } from "./fake-tools.js";
import { folder, namesIn, papo } from "./papo.js";

/** The tools are shell scripts. */
const test = process.platform === "win32" ? anyTest.skip : anyTest;

const LOCAL = join("build", "Release", "papo.node");
const VERSION = addon().binding.version ?? "0.0.0";
const NVCC = "Cuda compilation tools, release 13.0, V13.0.88";
/** No nvcc where CUDA's installer puts it either. */
const AUTO = findTools({ PATH: "" }, true, "debian") as readonly string[];
const CUDA_IS_INSTALLED = !AUTO.some((line) => line.startsWith("nvcc"));

/** Runs a build of `root` with an environment. */
async function build(
  root: string,
  env: Record<string, string>,
  options: Partial<BuildOptions> = {},
  signal?: AbortSignal,
) {
  let stderr = "";
  const terminal = {
    stdout: { write: () => undefined },
    stderr: {
      write: (text: string) => {
        stderr += text;
      },
    },
    env,
    signal,
  };
  const all = { root, cuda: false, debug: false, jobs: undefined, ...options };
  try {
    return { built: await buildAddon(all, terminal), stderr };
  } catch (error) {
    return { error: error as Error, stderr };
  }
}

test("the result is where the loader looks first, and nothing else is left", async (t) => {
  const root = sources(join(folder(t), "papo"), VERSION);
  write(join(root, LOCAL), "what was there before");
  const { env, calls } = fakeTools(folder(t), GOOD);
  const { built, error, stderr } = await build(root, env, { jobs: 3 });
  t.is(error, undefined);
  t.is(built?.path, join(root, LOCAL));
  t.is(findAddon({}, root).path, join(root, LOCAL));
  t.deepEqual(namesIn(join(root, "build")), ["Release"]);
  t.deepEqual(namesIn(join(root, "build", "Release")), ["papo.node"]);
  t.regex(stderr, /-- configuring/, "the tools are heard");
  const [configure, compile] = calls();
  t.regex(configure ?? "", /-S \S+papo -B \S+unfinished-\w+ -G Ninja -DCMAKE_BUILD_TYPE=Release/);
  t.regex(configure ?? "", / -DPAPO_WITH_CUDA=OFF$/);
  t.regex(compile ?? "", /--config Release --target papo --parallel 3$/);
});

test("flags reach CMake", async (t) => {
  const root = sources(join(folder(t), "papo"), VERSION);
  const { env, calls } = fakeTools(folder(t), { ...GOOD, nvcc: NVCC });
  await build(root, env, { cuda: true, debug: true });
  await build(root, env, { cuda: undefined });
  await build(root, { ...env, CMAKE_GENERATOR: "Unix Makefiles" });
  const [debug, , natural, , other] = calls();
  t.regex(debug ?? "", /^CUDACXX=\S+\/bin\/nvcc .*BUILD_TYPE=RelWithDebInfo.*WITH_CUDA=ON/);
  t.regex(debug ?? "", /-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O3 -g$/);
  t.regex(natural ?? "", /^CUDACXX=\S+\/bin\/nvcc .*WITH_CUDA=ON/, "where there is an nvcc");
  t.regex(other ?? "", /^CUDACXX= (?!.*-G ).*WITH_CUDA=OFF/);
});

const failures: Record<string, readonly [build: string, sentence: RegExp]> = {
  "does not compile": ["exit 7", /^\[build\] cmake --build ended with 7; its output is above$/],
  "is killed": ["kill -9 $$", /^\[build\] cmake --build ended with SIGKILL; its output is above$/],
  "ends without an addon": [":", /^\[build\] the build ended without an addon/],
  "makes something else": [
    'echo nothing > "$out"',
    /^\[build\] the addon that was built does not load: damaged file: .* begins with "nothing\?"$/,
  ],
};

for (const [title, [commands, sentence]] of Object.entries(failures)) {
  test(`a build that ${title} changes nothing`, async (t) => {
    const root = sources(join(folder(t), "papo"), VERSION);
    write(join(root, LOCAL), "what was there before");
    const { env } = fakeTools(folder(t), GOOD, commands);
    const { error } = await build(root, env);
    t.is((error as PapoError).code, "ERR_UNSUPPORTED");
    t.regex(error?.message ?? "", sentence);
    t.is(readFileSync(join(root, LOCAL), "utf8"), "what was there before");
    t.deepEqual(namesIn(join(root, "build")), ["Release"]);
  });
}

test("what cannot be replaced stays, and the error names it", async (t) => {
  const root = sources(join(folder(t), "papo"), VERSION);
  const kept = write(join(root, LOCAL, "a file"), "in a folder of that name");
  const { error } = await build(root, fakeTools(folder(t), GOOD).env);
  t.is((error as PapoError).code, "ERR_FILE");
  t.regex(error?.message ?? "", /^\[build\] expected \S+papo\.node to be replaceable .* EISDIR/);
  t.true(existsSync(kept));
  t.deepEqual(namesIn(join(root, "build")), ["Release"]);
});

test("an addon of another version is not put in place", async (t) => {
  const root = sources(join(folder(t), "papo"), "7.6.5");
  const { env } = fakeTools(folder(t), GOOD);
  const { error } = await build(root, env);
  t.regex(
    error?.message ?? "",
    /does not load: the addon of papo \S+, the package is papo 7\.6\.5$/,
  );
  t.false(existsSync(join(root, LOCAL)));
});

test("an interrupted build leaves nothing", async (t) => {
  const root = sources(join(folder(t), "papo"), VERSION);
  const { env, log, calls } = fakeTools(folder(t), GOOD, "exec /bin/sleep 60");
  const interruption = new AbortController();
  const running = build(root, env, {}, interruption.signal);
  const started = () => existsSync(log) && calls().length === 2;
  while (!started()) await new Promise((resolve) => setTimeout(resolve, 10));
  const begin = performance.now();
  interruption.abort(new Error("SIGINT"));
  const { error } = await running;
  t.true(performance.now() - begin < 30_000, "it does not wait for the end");
  t.is(error?.message, "SIGINT");
  t.deepEqual(namesIn(join(root, "build")), []);
});

test("a package without its sources, or one that cannot be written, says so", async (t) => {
  const { env } = fakeTools(folder(t), GOOD);
  const bare = folder(t);
  const missing = await build(bare, env);
  t.is(
    missing.error?.message,
    `[build] ${bare} has no CMakeLists.txt, no native/addon/addon.cpp, no third-party/node-api: install papo again`,
  );
  const root = sources(join(folder(t), "papo"));
  write(join(root, "build"), "a file");
  const { error } = await build(root, env);
  t.is((error as PapoError).code, "ERR_FILE");
  t.regex(
    error?.message ?? "",
    /^\[build\] expected a folder \S+build that can be written, received/,
  );
});

const COMPILER = "gcc 11 or clang 14 or later";

/** Tools that are there, whether CUDA is wanted, and the lines on Debian. */
const needs: Record<string, readonly [Versions, boolean | undefined, readonly string[]]> = {
  "no tool at all": [
    {},
    false,
    [
      "CMake 3.22 or later: apt-get install cmake",
      `a C++ compiler, ${COMPILER}: apt-get install g++ make`,
      "make or ninja: apt-get install make",
    ],
  ],
  "an old CMake": [
    { ...GOOD, cmake: "cmake version 3.16.3" },
    false,
    ["CMake 3.22 or later, this one is 3.16.3: pip install cmake"],
  ],
  "an old gcc": [
    { ...GOOD, "c++": "c++ (Ubuntu 9.4.0-1ubuntu1~20.04.2) 9.4.0" },
    false,
    [
      `${COMPILER}, c++ is gcc 9.4.0; where a newer one is installed, set CXX: apt-get install g++ make`,
    ],
  ],
  "an old clang": [
    { ...GOOD, "c++": undefined, "clang++": "Debian clang version 11.0.1-2" },
    false,
    [
      `${COMPILER}, clang++ is clang 11.0.1; where a newer one is installed, set CXX: apt-get install g++ make`,
    ],
  ],
  "neither make nor ninja": [
    { ...GOOD, ninja: undefined },
    false,
    ["make or ninja: apt-get install make"],
  ],
  "an old nvcc": [
    { ...GOOD, nvcc: "Cuda compilation tools, release 11.8, V11.8.89" },
    true,
    [
      "nvcc 12.8 or later, BIN/nvcc is 11.8: the CUDA toolkit 12.8 or later (https://developer.nvidia.com/cuda-downloads), then put nvcc on PATH or set CUDACXX",
    ],
  ],
};

for (const [title, [versions, cuda, lines]] of Object.entries(needs)) {
  test(`what is missing: ${title}`, (t) => {
    const { env } = fakeTools(folder(t), versions);
    const found = findTools(env, cuda, "debian") as readonly string[];
    t.deepEqual(
      found.map((line) => line.replaceAll(env.PATH as string, "BIN")),
      lines,
    );
  });
}

test("an nvcc that is not there, or does not run, is missing where CUDA is asked for", (t) => {
  const { env } = fakeTools(folder(t), GOOD);
  const [line] = findTools({ ...env, CUDACXX: "/no/nvcc" }, true, "debian") as readonly string[];
  t.regex(line ?? "", /^nvcc 12\.8 or later, and \/no\/nvcc does not run: the CUDA toolkit/);
  if (CUDA_IS_INSTALLED) return;
  const [none] = findTools(env, true, "debian") as readonly string[];
  t.regex(none ?? "", /^nvcc 12\.8 or later, and there is none: the CUDA toolkit/);
});

test("where CUDA is not asked for, a build without it says why", async (t) => {
  const { env } = fakeTools(folder(t), GOOD);
  const root = sources(join(folder(t), "papo"), VERSION);
  const { stderr } = await build(root, { ...env, CUDACXX: "/no/nvcc" }, { cuda: undefined });
  t.regex(stderr, /^note: built without CUDA, which needs nvcc 12\.8 or later, and \/no\/nvcc /);
  t.like(findTools({ ...env, CUDACXX: "/no/nvcc" }, undefined, "debian"), {
    cuda: "OFF",
    note: "built without CUDA, which needs nvcc 12.8 or later, and /no/nvcc does not run",
  });
  t.like(findTools(env, false, "debian"), { cuda: "OFF", note: undefined });
});

test("a CXX that does not run is said to be the reason; one with arguments is run with them", (t) => {
  const { env } = fakeTools(folder(t), { ...GOOD, ccache: "g++ (GCC) 13.2.1" } as Versions);
  const [line] = findTools({ ...env, CXX: "no-such-c++" }, false, "fedora") as readonly string[];
  t.is(
    line,
    `a C++ compiler, ${COMPILER}, CXX says no-such-c++, which does not run: dnf install gcc-c++ make`,
  );
  t.like(findTools({ ...env, CXX: "ccache g++ -m64" }, false, "fedora"), { cmake: "cmake" });
});

test("a compiler that counts its versions in another way is CMake's to judge", (t) => {
  for (const said of ["Apple clang version 3.0", "a compiler of no version"]) {
    const { env } = fakeTools(folder(t), { ...GOOD, "c++": said });
    t.like(findTools(env, false, "debian"), { cmake: "cmake" });
  }
});

test("nvcc is also looked for where CUDA_PATH points", (t) => {
  const { env } = fakeTools(folder(t), GOOD);
  const toolkit = fakeTools(folder(t), { nvcc: NVCC }).env.PATH as string;
  const found = findTools({ ...env, CUDA_PATH: join(toolkit, "..") }, true, "debian");
  t.like(found, { cuda: "ON", nvcc: join(toolkit, "nvcc") });
});

test("every system has its own commands, and an unknown one all of them", (t) => {
  const { env } = fakeTools(folder(t), { ...GOOD, cmake: undefined });
  const on = (system: Parameters<typeof findTools>[2]) => findTools(env, false, system);
  t.deepEqual(on("macos"), ["CMake 3.22 or later: brew install cmake"]);
  t.deepEqual(on("windows"), ["CMake 3.22 or later: winget install Kitware.CMake"]);
  t.deepEqual(on("alpine"), ["CMake 3.22 or later: apk add cmake"]);
  t.deepEqual(on("unknown"), [
    "CMake 3.22 or later: apt-get install cmake (Debian, Ubuntu), dnf install cmake (Fedora, RHEL), apk add cmake (Alpine), brew install cmake (macOS), winget install Kitware.CMake (Windows)",
  ]);
});

test("the oldest CMake is the one that CMakeLists.txt asks for", (t) => {
  const lists = readFileSync(new URL("../../CMakeLists.txt", import.meta.url), "utf8");
  t.is(/cmake_minimum_required\(VERSION ([\d.]+)\)/.exec(lists)?.[1], OLDEST.cmake);
});

test("the command says what is missing, with exit code 4, and changes nothing", async (t) => {
  // No PATH at all would be the system's default one.
  const options = { env: { PATH: "" } };
  const { code, stdout, stderr } = await papo(["build", "--no-cuda"], options);
  t.is(code, 4);
  t.is(stdout, "");
  t.regex(
    stderr,
    /^papo build: a build of papo needs what is not here:\n {2}CMake 3\.22 or later: /,
  );
  const document = await papo(["build", "--no-cuda", "--json"], options);
  t.like(JSON.parse(document.stdout).error, { code: "ERR_UNSUPPORTED", exitCode: 4 });
  for (const jobs of ["0", "1025", "two"])
    t.is((await papo(["build", "--jobs", jobs], options)).code, 2);
});

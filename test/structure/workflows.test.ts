/** The workflows of the hosted CI: what can be said of them without running them. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { parse } from "yaml";
import { addonOf, TARGETS } from "../../packaging/targets.js";
import { filesBelow, ROOT, read } from "./files.js";

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Job {
  readonly uses?: string;
  readonly steps?: readonly Step[];
  readonly "timeout-minutes"?: number;
  readonly strategy?: { readonly matrix: { readonly include?: readonly Row[] } };
}

interface Row {
  readonly target: string;
  readonly addon: string;
  readonly tools?: string;
}

interface Workflow {
  readonly name: string;
  readonly permissions: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

const paths = filesBelow(".github/workflows");
const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };

/** Commands that name something of ours which is not there. */
function unknownIn(command: string): string[] {
  const ours = [...command.matchAll(/\bnpm run(?: --silent)? ([\w:-]+)/g)].map(([, name]) => name);
  const plain = [...command.matchAll(/\bnpm (test|start|stop)\b/g)].map(([, name]) => name);
  const files = [
    ...command.matchAll(/(?:^|[\s"'])((?:\.ci|test|native|packaging|bench)\/[^\s"']*)/gm),
  ]
    .map(([, path = ""]) => path)
    .filter((path) => !existsSync(join(ROOT, path.replace(/\/[^/]*\*.*$/, ""))));
  return [
    ...[...ours, ...plain].filter((name) => !((name as string) in scripts)),
    ...files,
  ] as string[];
}

test("a command that names no script or file of ours is found", (t) => {
  t.deepEqual(unknownIn("npm run nonsense -- x\nnpm run --silent build\nnpm test"), ["nonsense"]);
  t.deepEqual(unknownIn('npx ava "test/ops/*.test.ts" test/nowhere.ts && .ci/walk'), [
    "test/nowhere.ts",
    ".ci/walk",
  ]);
});

test("there are workflows for the gate and for the prebuilt addons", (t) => {
  for (const name of ["ci", "prebuilds"]) t.true(paths.includes(`.github/workflows/${name}.yml`));
});

for (const path of paths) {
  const text = read(path);
  const { permissions, jobs } = parse(text) as Workflow;
  const all = Object.values(jobs);
  const steps = all.flatMap((job) => job.steps ?? []);

  test(`${path} says that it was not run`, (t) => {
    const [comment = ""] = /^(?:#.*\n)+/.exec(text) ?? [];
    t.regex(comment, /\bnot (?:been )?run\b/i);
  });

  test(`${path} runs scripts that are there`, (t) => {
    const rows = all.flatMap((job) => job.strategy?.matrix.include ?? []);
    const commands = [...steps.map(({ run }) => run), ...rows.map(({ tools }) => tools)];
    t.deepEqual(
      commands.flatMap((command) => unknownIn(command ?? "")),
      [],
    );
  });

  test(`${path} pins what it uses, and may do no more than it needs`, (t) => {
    const used = [...all, ...steps].flatMap(({ uses }) => uses ?? []);
    // A tag can be moved, and what it then runs would compile what a release ships.
    const loose = used.filter((name) => !/^\.\/|@[0-9a-f]{40}$/.test(name));
    t.deepEqual(loose, []);
    t.true(
      used.every((name) => !name.startsWith("./") || existsSync(join(ROOT, name))),
      "workflows of ours",
    );
    t.deepEqual(permissions, { contents: "read" });
    for (const step of steps.filter(({ uses }) => uses?.startsWith("actions/checkout@"))) {
      t.is(step.with?.["persist-credentials"], false);
    }
    for (const job of all) t.true(job.uses !== undefined || (job["timeout-minutes"] ?? 0) > 0);
  });
}

test("every prebuilt addon is compiled where it runs, and tried as the file that ships", (t) => {
  const { jobs } = parse(read(".github/workflows/prebuilds.yml")) as Workflow;
  const rows = jobs.prebuild?.strategy?.matrix.include ?? [];
  t.deepEqual(
    rows.map(({ target, addon }) => [target, addon]),
    rows.map(({ target }) => [target, TARGETS[target] && addonOf(TARGETS[target])]),
  );
  // There is no hosted runner with musl on Arm.
  const without = Object.keys(TARGETS).filter(
    (name) => !rows.some(({ target }) => target === name),
  );
  t.deepEqual(without, ["linux-arm64-musl"]);
});

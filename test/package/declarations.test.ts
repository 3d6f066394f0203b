/** The types of the packed tarball, as readers' projects meet them: several compilers, both ways to resolve. */
import test from "ava";
import { COMPILERS, complaints } from "./support/consumer.js";

const OWN = ["main.ts", "doors.ts"];

/** No `skipLibCheck`: declarations are checked like the reader's own files. */
const PROJECTS = {
  "module nodenext": { module: "nodenext" },
  "a bundler": { module: "esnext", moduleResolution: "bundler" },
} as const;

for (const [name, options] of Object.entries(PROJECTS)) {
  // The oldest takes its seconds, and resolves for a bundler as those after it do.
  const compilers = Object.keys(COMPILERS).slice(0, name === "a bundler" ? -1 : undefined);
  for (const compiler of compilers) {
    test(`TypeScript ${compiler}, ${name}: declarations hold, and say what a reader expects`, (t) => {
      t.is(complaints(compiler, OWN, options), "");
    });
  }
}

test("Node's types give what the browser's do", (t) => {
  t.is(complaints("7.0", OWN, { module: "nodenext", lib: ["es2022"], types: ["node"] }), "");
});

test("with the newest library a Float16Array is one", (t) => {
  const options = { module: "nodenext", lib: ["esnext"], types: ["node"] };
  t.is(complaints("7.0", [...OWN, "halves.ts"], options), "");
});

test("the adapters take the packages that they are for", (t) => {
  // Their own declarations do not all hold, so only the reader's files are checked.
  const options = { module: "nodenext", lib: ["esnext", "dom"], skipLibCheck: true };
  for (const compiler of ["7.0", "6.0"]) t.is(complaints(compiler, ["frameworks.ts"], options), "");
});

test("a wrong expectation is found", (t) => {
  t.regex(complaints("7.0", ["wrong.ts"], { module: "nodenext" }), /TS2344|TS2345/);
});

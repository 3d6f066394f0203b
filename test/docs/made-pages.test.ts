/** Pages that are made are what the code and its measurements give, and numbers on them are those of the files. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import test from "ava";
import { MADE_PAGES } from "../../docs/made-pages.js";
import { numericsPage } from "../../docs/numerics-page.js";

const root = fileURLToPath(new URL("../../", import.meta.url));

for (const [path, page] of Object.entries(MADE_PAGES)) {
  test(`${path} is what is made of the tables and measurements`, (t) => {
    t.true(readFileSync(`${root}${path}`, "utf8") === page(), "run `npm run docs`");
  });

  test(`nothing of ${path} is an object or undefined by mistake`, (t) => {
    t.notRegex(page(), /\[object|`undefined`|\bundefined \||^undefined|\bNaN \||\| Infinity/m);
  });
}

test("numerics: the largest error of a group is in its line", (t) => {
  const own = {
    isa: "avx2",
    dtype: "float32",
    vocabSize: 151_936,
    entropy: 2e-9,
    kl: 3e-9,
    klRelative: 0.5,
    trueKl: 1,
    merged: 8e-9,
    loss: 9e-9,
    lossGradient: 4e-9,
    statisticsGradient: 5e-9,
  };
  const page = numericsPage([
    { ...own, row: "plain", logProb: 1e-9 },
    { ...own, row: "far", logProb: 7e-9 },
    { ...own, row: "near", logProb: 3e-9, klRelative: 6e-9, trueKl: 1e-8 },
    { ...own, row: "near", logProb: 3e-9, trueKl: 1e-12 },
  ]);
  t.true(
    page.includes(
      "| avx2 | float32 | 7.0e-9 | 2.0e-9 | 3.0e-9 | 6.0e-9 | 8.0e-9 | 9.0e-9 | 4.0e-9 | 5.0e-9 |",
    ),
  );
  t.true(page.includes("| log-prob, nats | 5e-7 | 7.0e-9 | `far` |"));
});

/** The site's own parts: what it is made of is complete, and what leads nowhere is found. `npm run docs:site` builds it. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { checkLinks } from "../../docs/site/links.js";
import { DOORS, SITE_PAGES, slugOf } from "../../docs/site/pages.js";
import { sectionsOf } from "../../docs/site/sections.js";
import * as papo from "../../lib/index.js";
import { filesBelow } from "../structure/files.js";
import { ROOT } from "./programs.js";

test("every Markdown page of the repository is a page of the site, at an address of its own", (t) => {
  const folders = ["docs", "lib", "native", "test", "bench", "examples"];
  const all = folders.flatMap(filesBelow).filter((path) => path.endsWith(".md"));
  t.deepEqual(
    all.filter((path) => !SITE_PAGES.includes(path)),
    [],
  );
  const slugs = SITE_PAGES.map(slugOf);
  t.deepEqual([...new Set(slugs)], slugs);
});

test("every name at the door is in a section, and so is every type", (t) => {
  const sections = sectionsOf(readFileSync(join(ROOT, DOORS.papo as string), "utf8"));
  t.deepEqual(
    Object.keys(papo).filter((name) => !sections.has(name)),
    [],
  );
  t.is(sections.get("Logits"), "Tensors");
  t.is(sections.get("cuda"), "Tensors");
  t.is(sections.get("valueAndGrad"), "Gradients of your own functions");
});

test("a page, an anchor and a picture that are not there are found, in any folder", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "papo-links-"));
  try {
    mkdirSync(join(folder, "sub"));
    writeFileSync(join(folder, "icons.svg"), '<svg><path id="star"/></svg>');
    writeFileSync(
      join(folder, "index.html"),
      `<h1 id="a-b &amp; c">x</h1><a class="x" href="#a-b%20%26%20c">1</a><a href="sub/page.html#there">2</a>
      <a href="sub/page.html#gone">3</a><a href="missing.html">4</a><a href="https://example.org/#x">5</a>
      <use href="icons.svg#star"></use><use href="icons.svg#moon"/><a href="sub/">6</a>`,
    );
    writeFileSync(
      join(folder, "sub/page.html"),
      '<h2 id="there">y</h2><img alt="" src="../picture.png"/><a href="../index.html">1</a>',
    );
    const { pages, links, broken, external } = checkLinks(folder);
    t.is(pages, 2);
    t.is(links, 9);
    t.deepEqual(broken.map(({ target }) => target).sort(), [
      "../picture.png",
      "icons.svg#moon",
      "missing.html",
      "sub/",
      "sub/page.html#gone",
    ]);
    t.deepEqual(external, ["https://example.org/#x"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

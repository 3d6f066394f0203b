#!/usr/bin/env node
// Copies what an addon is compiled against (the headers of node-addon-api and node-api-headers, MIT) into
// third-party/node-api, from where they travel in the tarball: so an installed package builds without a network and
// without dependencies that only a build would need.
import { cpSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const target = join(root, "third-party", "node-api");
rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });

/** Copies the files of a folder in node_modules whose names match. */
function copy(folder, names, rename = (name) => name) {
  const from = join(root, "node_modules", folder);
  for (const name of readdirSync(from).filter((file) => names.test(file))) {
    cpSync(join(from, name), join(target, rename(name)));
  }
}

copy("node-addon-api", /^napi.*\.h$/);
copy("node-api-headers/include", /\.h$/);
copy("node-api-headers/def", /^node_api\.def$/);
for (const name of ["node-addon-api", "node-api-headers"]) {
  copy(name, /^LICENSE/, () => `LICENSE-${name}`);
}

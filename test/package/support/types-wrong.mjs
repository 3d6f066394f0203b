// `node types-wrong.mjs TARBALL`: what are-the-types-wrong says of it, as JSON. A program of its own, since tsx, which
// the tests run under, does not find one of its modules.
import { readFileSync } from "node:fs";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";

const [tarball = ""] = process.argv.slice(2);
const { types, problems, entrypoints } = await checkPackage(
  createPackageFromTarballData(readFileSync(tarball)),
);
const resolutions = Object.values(entrypoints ?? {}).flatMap(({ subpath, resolutions }) =>
  Object.values(resolutions).map(({ resolutionKind, resolution, implementationResolution }) => ({
    subpath,
    resolutionKind,
    types: resolution?.fileName,
    implementation: implementationResolution?.fileName,
  })),
);
console.log(JSON.stringify({ types, problems, resolutions }));

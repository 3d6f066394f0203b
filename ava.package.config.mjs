// The package as it is published, tried from its tarball: `npm run test:package`.
//
// What it exports and its types, under several compilers; installed and run, with what is at hand: this Node, this npm.
// PAPO_PACKAGE_MATRIX=all takes every runtime and package manager of test/package/runtimes too, which it installs first
// (a gigabyte), and builds from source, which takes minutes; PAPO_PACKAGE_MATRIX=record also writes what came of it to
// test/package/results.json.
export default {
  files: ["test/package/{matrix,executables,manifest,declarations}.test.ts"],
  extensions: ["ts"],
  nodeArguments: ["--import=tsx"],
  // Every process has a limit of its own; a build from source on a busy machine is the longest.
  timeout: "45m",
  // File by file where runtimes are installed: two installations into one folder spoil each other.
  ...(process.env.PAPO_PACKAGE_MATRIX && { concurrency: 1 }),
};

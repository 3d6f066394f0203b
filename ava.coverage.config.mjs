// The tests as `npm run coverage` runs them.
export default {
  files: ["test/**/*.test.ts"],
  // Imported, not required: test/coverage/blanked.mjs is asked for modules alone.
  extensions: { ts: "module" },
  nodeArguments: ["--import=tsx"],
  // Processes: threads end before their counts are written.
  workerThreads: false,
  timeout: "10m",
};

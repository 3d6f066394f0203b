// Tests of devices: `npx ava --config ava.device.config.mjs`.
//
// They run on the simulated GPUs of the addon that preset "shim" builds, or on those of any other addon:
// PAPO_ADDON_PATH=build/Release/papo.node. Tests that need what a simulation alone can do (two devices, little memory)
// are left out where it is not there.
const simulation = {
  PAPO_SHIM_DEVICES: "2",
  PAPO_SHIM_MULTIPROCESSORS: "4",
  PAPO_SHIM_MEMORY: String(256 * 2 ** 20),
};

/** What is said outside goes before what is said here. */
const environment = Object.fromEntries(
  Object.entries({ PAPO_ADDON_PATH: "build/shim/papo.node", ...simulation }).map(
    ([name, value]) => [name, process.env[name] ?? value],
  ),
);

export default {
  // The README's programs too: one of them does nothing without a device.
  files: ["test/device/**/*.test.ts", "test/readme.test.ts"],
  // Modules, not what `require` makes of them: `npm run coverage` counts in modules.
  extensions: { ts: "module" },
  nodeArguments: ["--import=tsx", "--expose-gc"],
  environmentVariables: environment,
  // Processes, not threads: only they take the variables above into the addon, and --expose-gc at all.
  workerThreads: false,
  timeout: "5m",
};

/** What the addon says of CUDA: devices and their sizes, or the reason why there is none. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import test from "ava";
import { papo, papoJson } from "../cli/papo.js";
import { addon, DEVICE, devices } from "./addon-calls.js";
import { SIMULATED } from "./conditions.js";

test("devices come in the order of their index, with their sizes", (t) => {
  const { built, runtimeVersion, driverVersion, unavailable } = addon.info().cuda;
  t.true(built);
  t.is(unavailable, "");
  t.regex(runtimeVersion, /^\d+\.\d+$/);
  t.regex(driverVersion, /^\d+\.\d+$/);
  t.true(devices.length > 0);
  for (const [index, facts] of devices.entries()) {
    t.is(facts.device, `cuda:${index}`);
    t.regex(facts.computeCapability, /^\d+\.\d$/);
    for (const size of [facts.multiprocessors, facts.memoryBytes, facts.l2Bytes]) t.true(size > 0);
    const { freeBytes, totalBytes } = addon.memoryInfo(facts.device);
    t.true(freeBytes <= totalBytes);
    t.true(totalBytes <= facts.memoryBytes);
  }
});

test("a device beyond the last is told from a machine without any", (t) => {
  const error = t.throws(() => addon.allocate("cuda:99", 16), { code: "ERR_DEVICE_UNAVAILABLE" });
  t.regex(error?.message ?? "", /^\[allocate\] cuda:99 is not available: .*cuda:0/);
});

test("papo info prints them", async (t) => {
  const { json } = await papoJson(["info"]);
  t.deepEqual(
    json.devices,
    [{ device: "cpu" }, ...devices].map((facts) => ({ ...facts, available: true })),
  );
  t.is(json.cuda.built, true);
  const { stdout } = await papo(["info"]);
  const [{ name, computeCapability }] = devices as [(typeof devices)[number]];
  t.true(stdout.includes(`${DEVICE}: ${name}, compute capability ${computeCapability}, `), stdout);
  t.regex(stdout, /^CUDA +runtime \d+\.\d+, a driver that supports up to \d+\.\d+$/m);
});

/** What `papo info --json` prints on a machine whose driver is thus. */
async function infoWithDriver(driver: string) {
  const main = fileURLToPath(new URL("../../lib/cli/main.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--import=tsx", main, "info", "--json"],
    { env: { ...process.env, PAPO_SHIM_DRIVER: driver } },
  );
  return JSON.parse(stdout);
}

const REASONS: Readonly<Record<string, RegExp>> = {
  none: /^no NVIDIA driver was found; this binary needs one for CUDA \d+\.\d+/,
  old: /^the NVIDIA driver supports CUDA \d+\.\d+, this binary needs \d+\.\d+/,
  "no-device": /^the NVIDIA driver found no device$/,
};

for (const [driver, reason] of Object.entries(REASONS)) {
  (SIMULATED ? test : test.skip)(
    `where the driver is "${driver}", papo info says so`,
    async (t) => {
      const { cuda, devices } = await infoWithDriver(driver);
      t.is(cuda.built, true);
      t.is(devices.length, 2);
      const [, { available, ...entry }] = devices;
      t.false(available);
      t.is(entry.device, "cuda");
      t.regex(entry.reason, reason);
    },
  );
}

/** What systems say of a library that they do not load, in the forms that they print it, in plain words. */
import test from "ava";
import type { AddonProblem } from "../../lib/addon/attempt.js";
import { compareVersions, diagnose } from "../../lib/addon/diagnosis.js";

const PATH = "/package/build/Release/papo.node";
const NODE = `Node ${process.versions.node}`;

/** The message, its kind, and the words. */
const messages: Record<string, readonly [string, AddonProblem, string]> = {
  "glibc, a library": [
    "libfoo.so.3: cannot open shared object file: No such file or directory",
    "library",
    "needs libfoo.so.3, which is not on this system",
  ],
  "musl, a library": [
    `Error loading shared library libstdc++.so.6: No such file or directory (needed by ${PATH})`,
    "library",
    "needs libstdc++.so.6, which is not on this system",
  ],
  "macOS, a library": [
    `dlopen(${PATH}, 0x0001): Library not loaded: @rpath/libfoo.dylib\n  Referenced from: <1>`,
    "library",
    "needs @rpath/libfoo.dylib, which is not on this system",
  ],
  "Windows, a library": [
    `The specified module could not be found.\r\n\\\\?\\C:\\papo.node`,
    "library",
    "needs a DLL that is not on this system",
  ],
  "glibc, a version of a library that cannot be read": [
    `/lib/libc.so.6: version \`GLIBC_2.99' not found (required by ${PATH})`,
    "system",
    "needs glibc 2.99, this system has an older one",
  ],
  "glibc, a version of another library": [
    `/nowhere/libstdc++.so.6: version \`GLIBCXX_3.4.99' not found (required by ${PATH})`,
    "system",
    "needs GLIBCXX_3.4.99 of libstdc++.so.6, /nowhere/libstdc++.so.6 has an older one",
  ],
  "glibc, a function of Node-API": [
    `${PATH}: undefined symbol: napi_is_new`,
    "runtime",
    `needs napi_is_new, which this runtime (${NODE}) does not have`,
  ],
  "musl, a function of Node-API": [
    `Error relocating ${PATH}: node_api_is_new: symbol not found`,
    "runtime",
    `needs node_api_is_new, which this runtime (${NODE}) does not have`,
  ],
  "macOS, a function of Node-API": [
    `dlopen(${PATH}, 0x0001): symbol not found in flat namespace '_napi_is_new'`,
    "runtime",
    `needs napi_is_new, which this runtime (${NODE}) does not have`,
  ],
  "Node, an addon of a release": [
    `The module '${PATH}'\nwas compiled against a different Node.js version using\nNODE_MODULE_VERSION 93.`,
    "stranger",
    "not papo's addon: built for one release of Node alone",
  ],
  "Node, no addon": [
    `Module did not self-register: '${PATH}'.`,
    "stranger",
    "not papo's addon: a library that is no addon at all",
  ],
  "Linux, a noexec mount": [
    `${PATH}: failed to map segment from shared object`,
    "unreadable",
    `the system refuses to run code from it (a noexec mount, a security policy): ${PATH}: failed to map segment from shared object`,
  ],
  "something else": ["it is Monday\nand more", "other", "it is Monday"],
};

for (const [title, [message, problem, reason]] of Object.entries(messages)) {
  test(`said by ${title}`, (t) => {
    t.deepEqual(diagnose(PATH, new Error(message)), { problem, reason });
  });
}

test("addons that are switched off are known by Node's code and by Deno's words", (t) => {
  const error = Object.assign(new Error("no"), { code: "ERR_DLOPEN_DISABLED" });
  t.is(diagnose(PATH, error).problem, "forbidden");
  const denied = `Requires ffi access to "${PATH}", run again with the --allow-ffi flag`;
  t.is(diagnose(PATH, new Error(denied)).problem, "forbidden");
});

test("anything that is thrown has words", (t) => {
  for (const thrown of ["text", 7, {}, new Error("")]) {
    t.is(typeof diagnose(PATH, thrown).reason, "string");
  }
  for (const thrown of [undefined, null]) t.is(diagnose(PATH, thrown).reason, String(thrown));
});

test("versions are compared number by number", (t) => {
  t.true(compareVersions("2.9", "2.34") < 0);
  t.true(compareVersions("3.4.30", "3.4.4") > 0);
  t.true(compareVersions("2.34", "2.34.1") < 0);
  t.is(compareVersions("12", "12.0"), 0);
});

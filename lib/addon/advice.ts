/** What to do where no addon loads, by what was wrong with the files that were tried. */
import type { AddonProblem, LoadAttempt } from "./attempt.js";

const CURES: Partial<Record<AddonProblem, string>> = {
  unreadable: "Let this user read the file, or install papo again as this user.",
  damaged:
    "Install papo again: a file was damaged on its way (npm ci, or npm install papo --force).",
  platform:
    "Install the dependencies on the machine that runs them: node_modules came from another one.",
  system: "Take a newer system (a newer base image), or build the addon on this one.",
  library: "Install the library that is missing with the system's package manager.",
  runtime: "Take a newer Node.js.",
  forbidden:
    "Allow addons: node without --no-addons, node --permission with --allow-addons, deno with --allow-ffi.",
};

/** What small images leave out. */
const COMPILERS_LIBRARIES =
  "libstdc++ and libgcc are apt-get install libstdc++6 (Debian), dnf install libstdc++ (Fedora), apk add libstdc++ (Alpine).";

/** Where the files were looked for: PAPO_ADDON_PATH, the package, or a bundle that left the package behind. */
type Place = "said" | "package" | "bundled";

/** Sentences, the nearest cure first. */
export function advise(attempts: readonly LoadAttempt[], place: Place): string[] {
  const problems = new Set(attempts.map(({ problem }) => problem));
  // A file that PAPO_ADDON_PATH names did not come with the package.
  if (place === "said")
    for (const problem of ["damaged", "platform"] as const) problems.delete(problem);
  const cures = [...problems].flatMap((problem) => CURES[problem] ?? []);
  const ofCompiler = /\blib(stdc\+\+|gcc_s)\./;
  if (attempts.some(({ problem, reason }) => problem === "library" && ofCompiler.test(reason))) {
    cures.push(COMPILERS_LIBRARIES);
  }
  if (place === "said") {
    cures.push("PAPO_ADDON_PATH names the only file that is tried: correct it, or unset it.");
  } else if (place === "bundled") {
    cures.push(
      "This is a bundle without the package: keep papo out of it (esbuild --external:papo), put the package's folder prebuilds beside it, or set PAPO_ADDON_PATH to a papo.node.",
    );
  } else if (!problems.has("forbidden")) {
    cures.push(
      "Build the addon here, offline: npx papo build (it says which tools are missing), or set PAPO_ADDON_PATH to a built papo.node.",
    );
  }
  return cures;
}

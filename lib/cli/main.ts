#!/usr/bin/env node
/** The `papo` command: this process' arguments, streams and signals for `run`. */
import { EXIT } from "./exit.js";
import { run } from "./run.js";

const interruption = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  // Once: a second Ctrl-C ends the process at once.
  process.once(signal, () => interruption.abort(new Error(signal)));
}
// `papo loss … | head` is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? EXIT.ok : EXIT.internal);
});

const { stdout, stderr, env } = process;
process.exitCode = await run(process.argv.slice(2), {
  stdout,
  stderr,
  env,
  signal: interruption.signal,
});

// What ptxas -v reports of each kernel: registers, stack, spills, shared memory; and what it warns of.

/** From symbol to {registers, stack, spillStores, spillLoads, shared, warnings}. */
export function readResources(text) {
  const kernels = new Map();
  const functions = new Map();
  const warnings = [];
  let entry;
  let properties;
  for (const line of text.split("\n")) {
    const compiling = /Compiling entry function '([^']+)'/.exec(line);
    if (compiling) {
      entry = { registers: 0, shared: 0, stack: 0, spillStores: 0, spillLoads: 0, warnings: [] };
      kernels.set(compiling[1], entry);
      continue;
    }
    const of = /Function properties for (\S+)/.exec(line);
    if (of) {
      properties = kernels.get(of[1]) ?? functions.get(of[1]) ?? { name: of[1] };
      if (!kernels.has(of[1])) functions.set(of[1], properties);
      continue;
    }
    const frame = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(
      line,
    );
    if (frame && properties) {
      properties.stack = Number(frame[1]);
      properties.spillStores = Number(frame[2]);
      properties.spillLoads = Number(frame[3]);
    }
    const used = /Used (\d+) registers/.exec(line);
    if (used && entry) {
      entry.registers = Number(used[1]);
      entry.shared = Number(/(\d+) bytes smem/.exec(line)?.[1] ?? 0);
    }
    if (/warning/i.test(line)) warnings.push(line.replace(/^.*?warning\s*:\s*/i, ""));
  }
  for (const warning of warnings) {
    // Most name their kernel; one that does not is everybody's.
    const named = [...kernels].filter(([symbol]) => warning.includes(symbol));
    for (const [, kernel] of named.length > 0 ? named : kernels) kernel.warnings.push(warning);
  }
  // A device function that was not inlined has a frame of its own; it counts for every kernel of the source.
  for (const own of functions.values()) {
    for (const kernel of kernels.values()) {
      kernel.stack += own.stack ?? 0;
      kernel.spillStores += own.spillStores ?? 0;
      kernel.spillLoads += own.spillLoads ?? 0;
    }
  }
  return kernels;
}

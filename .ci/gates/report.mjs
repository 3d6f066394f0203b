// What the gates print: a table of the kernels and a summary of what was found.

/** One line per kernel template (or per instance): registers by target, and what its code holds. */
export function table(kernels, verbose) {
  const groups = new Map();
  for (const kernel of kernels) {
    const name = verbose ? kernel.name : kernel.name.replace(/<.*$/, "");
    groups.set(name, [...(groups.get(name) ?? []), kernel]);
  }
  const targets = [...new Set(kernels.map(({ target }) => target))];
  const header = ["kernel", "instances", ...targets.map((t) => `regs sm_${t}`), "ex2", "instr/ex2"];
  const lines = [...groups].map(([name, group]) => [
    name,
    String(group.length / new Set(group.map(({ target }) => target)).size),
    ...targets.map((target) =>
      range(group.filter((k) => k.target === target).map((k) => k.resources?.registers)),
    ),
    range(group.map(exponentials).filter((n) => n > 0)),
    range(group.flatMap(densest)),
  ]);
  const widths = header.map((_, i) =>
    Math.max(...[header, ...lines].map((line) => line[i].length)),
  );
  return [header, ...lines]
    .map((line) =>
      line
        .map((cell, i) => cell.padEnd(widths[i]))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

export function summary(kernels, found, toolchain) {
  const unread = kernels.filter(({ sass }) => !sass).map(({ target }) => `sm_${target}`);
  const lines = found.map(({ gate, kernel, text }) =>
    kernel
      ? `FAIL ${gate}: ${kernel.source}, ${kernel.name}, sm_${kernel.target}: ${text}`
      : `FAIL ${gate}: ${text}`,
  );
  if (unread.length > 0) {
    const why = toolchain.nvdisasm ? "this nvdisasm does not know them" : "no nvdisasm";
    lines.push(`machine code of ${[...new Set(unread)].join(" ")} was not read: ${why}`);
  }
  lines.push(
    `cuda gates: ${kernels.length} kernels, ${found.length === 0 ? "all as designed" : `${found.length} findings`}`,
  );
  return lines.join("\n");
}

const exponentials = ({ statements }) =>
  statements.filter(({ opcode }) => opcode === "ex2.approx.ftz.f32").length;

/** Instructions per exponential of the straight block with most of them. */
function densest({ sass }) {
  if (!sass) return [];
  const blocks = sass.blocks
    .map((block) => ({
      size: block.length,
      n: block.filter((i) => i.opcode === "MUFU.EX2").length,
    }))
    .filter(({ n }) => n >= 8);
  return blocks.map(({ size, n }) => Math.round((10 * size) / n) / 10);
}

function range(numbers) {
  const known = numbers.filter((n) => n !== undefined);
  if (known.length === 0) return "-";
  const [least, most] = [Math.min(...known), Math.max(...known)];
  return least === most ? String(least) : `${least}-${most}`;
}

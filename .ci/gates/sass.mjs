// Machine code as nvdisasm prints it: the instructions of each kernel and its basic blocks.

/** From symbol to {instructions, blocks}: each instruction {opcode, text}, each block a list of them. */
export function readSass(text) {
  const kernels = new Map();
  let kernel;
  let block;
  const newBlock = () => {
    block = [];
    kernel.blocks.push(block);
  };
  for (const line of text.split("\n")) {
    const section = /^\s*\.section\s+\.text\.([^,\s]+)/.exec(line);
    if (section) {
      kernel = { instructions: [], blocks: [] };
      kernels.set(section[1], kernel);
      newBlock();
      continue;
    }
    if (!kernel) continue;
    if (/^\s*\.section\s/.test(line)) {
      kernel = undefined;
      continue;
    }
    if (/^\.L_x_\d+:/.test(line)) newBlock();
    const found = /^\s*\/\*[0-9a-f]+\*\/\s+(?:@!?U?P\w+\s+)?([A-Z][\w.]*)\s*([^;]*);/.exec(line);
    if (!found) continue;
    const instruction = { opcode: found[1], text: `${found[1]} ${found[2]}`.trim() };
    kernel.instructions.push(instruction);
    block.push(instruction);
    if (/^(BRA|BRX|JMP|EXIT|RET|CALL|BSYNC)\b/.test(instruction.opcode)) newBlock();
  }
  for (const each of kernels.values()) each.blocks = each.blocks.filter(({ length }) => length > 0);
  return kernels;
}

/** Blocks that take exponentials for at least `least` logits at once: the plain bodies of the two walks. */
export function hotBlocks(sass, least) {
  return sass.blocks
    .map((block) => ({
      block,
      exponentials: block.filter(({ opcode }) => opcode === "MUFU.EX2").length,
    }))
    .filter(({ exponentials }) => exponentials >= least);
}

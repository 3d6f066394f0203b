// PTX as a list of statements per kernel.

/**
 * From symbol to statements {opcode, text, predicated} of each `.entry`, labels and directives left out (but
 * `.local` and `.shared` declarations kept, with those words as opcodes). Calls to `.func`s stay calls.
 */
export function readPtx(text) {
  const kernels = new Map();
  const plain = text.replace(/\/\/.*$/gm, "").replace(/\/\*[\s\S]*?\*\//g, "");
  const entry = /\.entry\s+([\w$.]+)\s*\(/g;
  for (let match = entry.exec(plain); match; match = entry.exec(plain)) {
    const open = plain.indexOf("{", entry.lastIndex);
    kernels.set(match[1], statements(plain.slice(open + 1, closing(plain, open))));
  }
  return kernels;
}

function closing(text, open) {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (text[at] === "{") depth++;
    if (text[at] === "}" && --depth === 0) return at;
  }
  throw new Error("PTX ends inside a kernel");
}

function statements(body) {
  const found = [];
  // A brace is a scope of inline assembly where it opens a statement, and a vector operand anywhere else.
  for (const piece of body.split(";")) {
    let text = piece.trim();
    for (let before = ""; before !== text; ) {
      before = text;
      text = text.replace(/^[{}\s]+/, "").replace(/^[\w$%]+:(?!:)\s*/, "");
    }
    if (text === "") continue;
    const predicated = text.startsWith("@");
    const opcode = /^(?:@!?%?[\w$]+\s+)?([\w.:]+)/.exec(text)?.[1];
    if (opcode === undefined) continue;
    if (opcode.startsWith(".") && opcode !== ".local" && opcode !== ".shared") continue;
    found.push({ opcode, text: text.replace(/\s+/g, " "), predicated });
  }
  return found;
}

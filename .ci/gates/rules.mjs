// The gates themselves: one kernel of one target against its design; every finding has the name of its gate.
import { hotBlocks } from "./sass.mjs";

/** What is wrong with a kernel: [{gate, kernel, text}], empty if it is as designed. */
export function findings(kernel, designs) {
  const found = [];
  const report = (gate, text) => found.push({ gate, kernel, text });
  const design = designs.find((each) => each.kernel.test(kernel.name));
  if (!design) {
    report("design", "no entry of design.mjs speaks of this kernel");
    return found;
  }
  const working = kernel.target >= (design.least ?? 0);
  checkResources(kernel, design, report);
  if (working) {
    checkFences(kernel, design, report);
    checkAtomics(kernel, design, report);
    checkArithmetic(kernel, design, report);
    checkMoves(kernel, design, report);
    checkMachineCode(kernel, design, report);
  } else {
    checkEmpty(kernel, design, report);
  }
  return found;
}

/** Entries of the table that no kernel has: the table would rot. */
export function unusedDesigns(kernels, designs) {
  return designs
    .filter((design) => !kernels.some(({ name }) => design.kernel.test(name)))
    .map(({ kernel }) => ({ gate: "design", text: `no kernel is called ${kernel}` }));
}

/** Names of all gates; the self-test must see each of them fire. */
export const GATES = [
  "design",
  "registers",
  "spills",
  "stack",
  "static-shared",
  "compiler-warning",
  "local-memory",
  "fence",
  "cluster-barrier",
  "atomic",
  "exponential",
  "approximation",
  "call",
  "required",
  "vector-width",
  "empty",
  "machine-local",
  "machine-fence",
  "machine-loop",
];

function checkResources({ resources, statements, target }, design, report) {
  if (!resources) {
    report("design", "ptxas reported nothing about this kernel");
    return;
  }
  const most = typeof design.registers === "function" ? design.registers(target) : design.registers;
  if (resources.registers > most) {
    report("registers", `${resources.registers} registers, designed for at most ${most}`);
  }
  if (resources.spillStores + resources.spillLoads > 0) {
    report("spills", `${resources.spillStores} bytes stored, ${resources.spillLoads} loaded`);
  } else if (resources.stack > 0) {
    report("stack", `${resources.stack} bytes of stack`);
  }
  if (resources.shared > 0) {
    report("static-shared", `${resources.shared} bytes of static shared memory`);
  }
  for (const warning of resources.warnings) {
    if (!/spill|local memory/i.test(warning)) report("compiler-warning", warning);
  }
  const local = statements.find(({ opcode }) => /^(\.local|(ld|st)\.local)\b/.test(opcode));
  if (local) report("local-memory", local.text);
}

function checkFences({ statements }, { fences = {} }, report) {
  for (const [opcode, times] of count(statements, /^(membar|fence)\b/)) {
    const allowed = fences[opcode] ?? 0;
    if (times > allowed) report("fence", `${opcode} ${times} times, designed for ${allowed}`);
  }
  // Without .relaxed an arrive is a release: a fence of the whole GPU in machine code.
  for (const [opcode, times] of count(statements, /^barrier\.cluster\.arrive\b/)) {
    if (!opcode.includes(".relaxed")) report("cluster-barrier", `${opcode} ${times} times`);
  }
}

function checkAtomics({ statements }, { atomics = [] }, report) {
  for (const [opcode, times] of count(statements, /^(atom|red)\b/)) {
    const float = /\.(f16|bf16|f16x2|bf16x2|f32|f64)\b/.test(opcode);
    if (float || !atomics.some((allowed) => allowed.test(opcode))) {
      report("atomic", `${opcode} ${times} times`);
    }
  }
}

function checkArithmetic({ statements }, { exponentials: [least, most] = [0, 0] }, report) {
  const exact = statements.filter(({ opcode }) => opcode === "ex2.approx.ftz.f32").length;
  if (exact < least || exact > most) {
    report("exponential", `${exact} of ex2.approx.ftz.f32, designed for ${least} to ${most}`);
  }
  for (const [opcode, times] of count(statements, /^ex2\b/)) {
    if (opcode !== "ex2.approx.ftz.f32") report("exponential", `${opcode} ${times} times`);
  }
  // float64's own expansions use rcp.approx.ftz.f64 and rsqrt: those are seeds, not results.
  for (const [opcode, times] of count(
    statements,
    /^(lg2|sin|cos|tanh|div|sqrt|rsqrt|rcp)\.approx/,
  )) {
    if (!opcode.endsWith(".f64")) report("approximation", `${opcode} ${times} times`);
  }
  for (const { text } of statements.filter(({ opcode }) => /^call\b/.test(opcode))) {
    report("call", text);
  }
}

function checkMoves({ statements }, design, report) {
  for (const required of design.required ?? []) {
    if (!statements.some(({ opcode }) => required.test(opcode))) {
      report("required", `nothing like ${required}`);
    }
  }
  for (const { what, opcode: pattern, least } of design.vectors ?? []) {
    const wide = statements.filter(({ opcode }) => pattern.test(opcode)).length;
    if (wide < least) report("vector-width", `${wide} ${what}, designed for at least ${least}`);
  }
}

function checkEmpty({ statements }, design, report) {
  const work = statements.filter(({ opcode }) => !/^(ret|exit|trap)\b/.test(opcode));
  if (work.length > 0) {
    report("empty", `${work.length} statements, but it runs from sm_${design.least} on only`);
  }
}

function checkMachineCode({ sass, name }, design, report) {
  if (!sass) return;
  const local = sass.instructions.find(({ opcode }) => /^(STL|LDL)\b/.test(opcode));
  if (local) report("machine-local", local.text);
  for (const [opcode, times] of count(sass.instructions, /^(MEMBAR|ERRBAR|CGAERRBAR|CCTL)\b/)) {
    const allowed = Object.entries(design.machineFences ?? {}).find(([known]) =>
      opcode.startsWith(known),
    );
    if (times > (allowed?.[1] ?? 0)) report("machine-fence", `${opcode} ${times} times`);
  }
  if (design.bodies) checkBodies(sass, name, design.bodies, report);
}

/** The straight bodies of the walks: as many as there are walks, each as dense as designed, nothing slow in them. */
function checkBodies(sass, name, { exponentials, walks }, report) {
  const least = exponentials(name);
  const bodies = hotBlocks(sass, least);
  for (const { block } of bodies) {
    const slow = block.find(({ opcode }) => /^(D(ADD|MUL|FMA|SETP)|F2F|I2F|CALL)\b/.test(opcode));
    if (slow) report("machine-loop", `${slow.text} in the body of a walk`);
  }
  const dense = bodies.map(({ block, exponentials: n }) => block.length / n).sort((a, b) => a - b);
  walks.forEach((limit, walk) => {
    const most = limit(name);
    if (dense[walk] === undefined) {
      report("machine-loop", `no straight body of ${least} exponentials for walk ${walk + 1}`);
    } else if (dense[walk] > most) {
      const found = dense[walk].toFixed(1);
      report("machine-loop", `${found} instructions per exponential, designed for ${most}`);
    }
  });
}

/** From opcode to how often it appears, of those that match. */
function count(list, pattern) {
  const counts = new Map();
  for (const { opcode } of list) {
    if (pattern.test(opcode)) counts.set(opcode, (counts.get(opcode) ?? 0) + 1);
  }
  return counts;
}

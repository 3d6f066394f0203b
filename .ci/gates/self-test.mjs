// Shows that the gates can fail: every one must find its planted violation, and nothing in code that has none.
import { fileURLToPath } from "node:url";
import { DESIGN } from "./design.mjs";
import { PLANTED_DESIGN, PLANTS } from "./planted/design.mjs";
import { readPtx } from "./ptx.mjs";
import { findings, GATES, unusedDesigns } from "./rules.mjs";

const PLANTED = fileURLToPath(new URL("planted/planted.cu", import.meta.url));

/** True if something did not behave; prints one line per plant. */
export async function selfTest(toolchain) {
  let failures = 0;
  const say = (ok, text) => {
    if (!ok) failures++;
    console.log(`${ok ? "ok  " : "FAIL"} ${text}`);
  };
  const gatesOf = async (target, macro) => {
    const defines = macro ? [`-D${macro}`] : [];
    const kernels = await toolchain.compile(PLANTED, target, { defines });
    return {
      kernels,
      fired: [...new Set(kernels.flatMap((k) => findings(k, PLANTED_DESIGN)).map((f) => f.gate))],
    };
  };

  const seen = new Set();
  for (const target of [80, 90]) {
    const { fired } = await gatesOf(target);
    say(
      fired.length === 0,
      `nothing planted, sm_${target}: ${fired.join(", ") || "no gate fires"}`,
    );
  }
  const results = await toolchain.inPool(PLANTS, async (plant) => ({
    plant,
    ...(await gatesOf(plant.target ?? 90, plant.macro)),
  }));
  for (const { plant, kernels, fired } of results) {
    const { macro, gates, also = [] } = plant;
    const unread = kernels.some(({ sass }) => !sass);
    const due = gates.filter((gate) => !(unread && gate.startsWith("machine-")));
    for (const gate of gates) if (fired.includes(gate) || !due.includes(gate)) seen.add(gate);
    if (due.length === 0) {
      console.log(`skip ${macro}: ${gates.join(", ")} needs nvdisasm`);
      continue;
    }
    const silent = due.filter((gate) => !fired.includes(gate));
    const strangers = fired.filter((each) => !gates.includes(each) && !also.includes(each));
    const complaints = [
      ...silent.map((gate) => `${gate} did not fire`),
      ...strangers.map((gate) => `${gate} fired too`),
    ];
    say(complaints.length === 0, [`${macro}: ${due.join(", ")}`, ...complaints].join("; "));
  }
  const blind = GATES.filter((gate) => !seen.has(gate));
  say(
    blind.length === 0,
    `every gate has a plant${blind.length > 0 ? `; none for ${blind.join(", ")}` : ""}`,
  );
  const rotten = unusedDesigns([], PLANTED_DESIGN);
  say(rotten.length === PLANTED_DESIGN.length, "entries of the table that no kernel has are found");
  await mutateRealKernels(toolchain, say);
  return failures > 0;
}

/** The real kernels with a violation written into their PTX: the gates must see through real code too. */
async function mutateRealKernels(toolchain, say) {
  const target = toolchain.targets.includes(90) ? 90 : toolchain.targets[0];
  const atStart = (statement) => (ptx) =>
    ptx.replace(/(\.entry[^{]*\{)/g, (head) => `${head}\n${statement}\n`);
  const mutations = [
    { what: "a fence", gate: "fence", edit: atStart("membar.gl;") },
    {
      what: "an atomic addition of float32",
      gate: "atomic",
      edit: atStart(
        "{ .reg .b64 at; .reg .f32 x; mov.b64 at, 0; mov.f32 x, 0f00000000; red.global.add.f32 [at], x; }",
      ),
    },
    {
      what: "exponentials with denormals",
      gate: "exponential",
      edit: (ptx) => ptx.replaceAll("ex2.approx.ftz.f32", "ex2.approx.f32"),
    },
    {
      what: "no asynchronous stores",
      gate: "required",
      edit: (ptx) => ptx.replace(/st\.async[\w.:]*/g, "st.weak.shared::cluster.v4.b32"),
    },
  ];
  const kernels = (await toolchain.compileAll([target])).filter((k) => k.statements.length > 2);
  for (const { what, gate, edit } of mutations) {
    const caught = new Set();
    for (const source of toolchain.sources) {
      const edited = readPtx(edit(await toolchain.ptx(source, target)));
      for (const kernel of kernels) {
        if (!edited.has(kernel.symbol)) continue;
        const found = findings({ ...kernel, statements: edited.get(kernel.symbol) }, DESIGN);
        if (found.some((each) => each.gate === gate)) caught.add(kernel.symbol);
      }
    }
    // Not every kernel exchanges or takes exponentials; a fence or an atomic must be seen in all of them.
    const must = gate === "fence" || gate === "atomic" ? kernels.length : 1;
    say(
      caught.size >= must,
      `${what} in the real kernels: ${gate}, in ${caught.size} of ${kernels.length}`,
    );
  }
  const unbounded = (ptx) => ptx.replace(/^\.(maxntid|minnctapersm|reqntid).*$/gm, "");
  let spilled = 0;
  for (const source of toolchain.sources) {
    const squeezed = await toolchain.compile(source, target, {
      ptxasFlags: ["--maxrregcount=24"],
      edit: unbounded,
    });
    spilled += squeezed.filter((k) =>
      findings(k, DESIGN).some(({ gate }) => gate === "spills"),
    ).length;
  }
  say(spilled > 0, `24 registers for the real kernels: spills, in ${spilled} of ${kernels.length}`);
}

// What each kernel is designed to be: the numbers that the gates hold it to. Names are those of the CUDA sources,
// without namespaces: papo_loss_resident<papo::BFloat16, true>, for instance, whose second argument says whether there
// is a masked policy.

/** Three blocks of 256 threads share the 65 536 registers of a multiprocessor: 80 each, rounded down to 8. */
const THREE_BLOCKS = 80;

/** The row_error of a call, an integer minimum; nothing else is atomic, and nothing atomic is a float. */
const ROW_ERROR = [/^(atom|red)\.global(\.relaxed)?(\.gpu)?\.min\.u64$/];

const LOAD = { what: "loads of 16 bytes", opcode: /^ld\.global\b.*\.v4\.(u32|b32|f32)$/ };
const LOAD_SHARED = { what: "shared loads of 16 bytes", opcode: /^ld\.shared\.v4\.(u32|b32|f32)$/ };
const STORE = {
  what: "streaming stores of 16 bytes",
  opcode: /^st\.global\.cs\.v4\.(u32|b32|f32)$/,
};

const masked = (name) => /, true>/.test(name);
const wide = (name) => /<float,/.test(name);

/**
 * Exponentials of one group of logits: 8 logits of 16 bits or 4 of 32, of one policy or two. Three quarters of them
 * in one straight block make it a body: where the next group's loads end a block early, a few stand before.
 */
const group = (name) => 0.75 * (wide(name) ? 4 : 8) * (masked(name) ? 2 : 1);

/**
 * Instructions per exponential of the straight body of a walk. While an H200 reads a column of both logits in bfloat16
 * it issues 27.6 instructions, and as many again while it writes the gradients. Two exponentials a column: the walk down
 * is designed for 18 to 20 of them, the walk up for 22 to 25.
 */
const DOWN = (name) => (masked(name) && !wide(name) ? 9.75 : 10);
const UP = (name) => (masked(name) && !wide(name) ? 12.5 : 13);

/** Rows kept on chip across a cluster: from compute capability 9.0 on, nothing but `ret` below. */
const resident = (kernel, walks, vectors) => ({
  kernel,
  least: 90,
  registers: THREE_BLOCKS,
  // Making the barriers known, once per block. The exchange itself has no fence: bytes are counted on arrival.
  fences: { "fence.mbarrier_init.release.cluster": 1, "fence.proxy.async.shared::cta": 1 },
  machineFences: { "MEMBAR.ALL.CTA": 1, "CCTL.IVALL": 8 },
  atomics: ROW_ERROR,
  exponentials: [4, 120],
  required: [
    /^cp\.async\.bulk\.shared::cluster\.global\..*L2::cache_hint$/,
    /^st\.async\..*\.v4\.b32$/,
    /^mbarrier\.arrive\.expect_tx\./,
    /^mbarrier\.try_wait\.parity\./,
    /^barrier\.cluster\.arrive\.relaxed/,
    /^barrier\.cluster\.wait/,
  ],
  vectors,
  bodies: { exponentials: group, walks },
});

/** Rows read twice, the second time from the L2; teams of blocks exchange through flags in global memory. */
const streaming = (kernel, walks, vectors) => ({
  kernel,
  registers: THREE_BLOCKS,
  // `ld.acquire` and `st.release` of the flags are fences in machine code; each is waited on once per row.
  machineFences: { MEMBAR: 2, ERRBAR: 2, CGAERRBAR: 2, "CCTL.IVALL": 2 },
  atomics: ROW_ERROR,
  exponentials: [4, 120],
  vectors,
  bodies: { exponentials: group, walks },
});

export const DESIGN = [
  resident(
    /^papo_loss_resident</,
    [DOWN, UP],
    [
      { ...LOAD_SHARED, least: 2 },
      { ...STORE, least: 1 },
    ],
  ),
  resident(/^token_stats_resident</, [DOWN], [{ ...LOAD_SHARED, least: 1 }]),
  streaming(
    /^papo_loss_streaming</,
    [DOWN, UP],
    [
      { ...LOAD, least: 2 },
      { ...STORE, least: 1 },
    ],
  ),
  streaming(/^token_stats_streaming</, [DOWN], [{ ...LOAD, least: 1 }]),
  {
    // No exchange at all: statistics and cotangents come in, each logit is read once.
    kernel: /^token_stats_grad_streaming</,
    registers: THREE_BLOCKS,
    exponentials: [4, 40],
    vectors: [
      { ...LOAD, least: 1 },
      { ...STORE, least: 1 },
    ],
    bodies: { exponentials: group, walks: [UP] },
  },
];

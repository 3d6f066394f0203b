// The design of the planted kernels, and which gates each of their violations must fire.

const ROW_ERROR = /^(atom|red)\.global(\.relaxed)?(\.gpu)?\.min\.u64$/;

export const PLANTED_DESIGN = [
  {
    kernel: /^planted_walk/,
    registers: 40,
    atomics: [ROW_ERROR],
    exponentials: [4, 4],
    vectors: [
      { what: "loads of 16 bytes", opcode: /^ld\.global(\.nc)?\.v4\.(f32|b32|u32)$/, least: 1 },
      { what: "stores of 16 bytes", opcode: /^st\.global\.v4\.(f32|b32|u32)$/, least: 1 },
    ],
    bodies: { exponentials: () => 4, walks: [() => 8] },
  },
  {
    kernel: /^planted_resident/,
    least: 90,
    registers: 40,
    fences: { "fence.mbarrier_init.release.cluster": 1 },
    // `barrier.cluster.wait.acquire` drops what the block's L1 holds.
    machineFences: { "CCTL.IVALL": 1 },
    required: [/^cp\.async\.bulk\.shared::cluster\.global\./, /^st\.async\./],
  },
];

/** `gates` must all fire; `also` may, by nature of the thing; `target` other than 90. */
export const PLANTS = [
  { macro: "PLANT_UNKNOWN_KERNEL", gates: ["design"] },
  { macro: "PLANT_REGISTERS", gates: ["registers"] },
  { macro: "PLANT_SPILLS", gates: ["spills", "machine-local"], also: ["registers"] },
  {
    macro: "PLANT_LOCAL_ARRAY",
    gates: ["stack", "local-memory", "machine-local"],
    also: ["registers"],
  },
  { macro: "PLANT_STATIC_SHARED", gates: ["static-shared"] },
  { macro: "PLANT_BOUNDS", gates: ["compiler-warning"] },
  { macro: "PLANT_FENCE", gates: ["fence", "machine-fence"] },
  { macro: "PLANT_CLUSTER_RELEASE", gates: ["cluster-barrier", "machine-fence"] },
  { macro: "PLANT_FLOAT_ATOMIC", gates: ["atomic"] },
  { macro: "PLANT_DOUBLE_ATOMIC", gates: ["atomic"] },
  { macro: "PLANT_OTHER_ATOMIC", gates: ["atomic"] },
  { macro: "PLANT_DENORMAL_EX2", gates: ["exponential"], also: ["machine-loop"] },
  { macro: "PLANT_TOO_MANY_EX2", gates: ["exponential"], also: ["machine-loop"] },
  { macro: "PLANT_FAST_LOG", gates: ["approximation"] },
  { macro: "PLANT_CALL", gates: ["call"], also: ["exponential", "machine-loop", "stack"] },
  { macro: "PLANT_NO_BULK_COPY", gates: ["required"] },
  { macro: "PLANT_NO_EXCHANGE", gates: ["required"] },
  { macro: "PLANT_SCALAR_LOADS", gates: ["vector-width"] },
  { macro: "PLANT_WORK_BELOW", gates: ["empty"], target: 80 },
  { macro: "PLANT_SLOW_LOOP", gates: ["machine-loop"] },
];

/** What others wrote of the package and its binaries, and on which terms; versions of npm packages come from the lock. */

/** How something comes to a user of papo. */
export type Way =
  /** npm installs it beside papo. */
  | "installed"
  /** Its files lie in the package. */
  | "copied"
  /** Pieces of it are in the addons. */
  | "compiled"
  /** It is part of the system that loads the addon; nothing of it is shipped. */
  | "system"
  /** Used where the user has it; nothing of it is shipped. */
  | "peer";

export interface Part {
  readonly name: string;
  readonly ways: readonly Way[];
  /** An identifier or expression of SPDX; else the name of the terms. */
  readonly licence: { readonly spdx: string } | { readonly name: string; readonly url: string };
  /** Left out where the lock or the manifest has it, and where it is the system's. */
  readonly version?: string;
  /** A file whose text travels with the package. */
  readonly text?: string;
  /** Where it is, and on what ground it may be there. */
  readonly note: string;
  /** Which libraries that an addon names it stands for. */
  readonly libraries?: RegExp;
}

/** The oldest and only release of CUDA's runtime that addons are linked with. */
export const CUDA_VERSION = "13.0";

export const PARTS: readonly Part[] = [
  {
    name: "commander",
    ways: ["installed"],
    licence: { spdx: "MIT" },
    note: "Options of the command `papo`. Installed by the package manager, with its own licence file.",
  },
  {
    name: "node-addon-api",
    ways: ["copied", "compiled"],
    licence: { spdx: "MIT" },
    text: "node_modules/node-addon-api/LICENSE.md",
    note: "C++ headers of Node-API: copies in third-party/node-api, inline functions in every addon.",
  },
  {
    name: "node-api-headers",
    ways: ["copied", "compiled"],
    licence: { spdx: "MIT" },
    text: "node_modules/node-api-headers/LICENSE",
    note: "C headers of Node-API: copies in third-party/node-api; declarations only.",
  },
  {
    name: "NVIDIA CUDA Runtime",
    ways: ["compiled"],
    version: CUDA_VERSION,
    licence: { name: "NVIDIA CUDA Toolkit EULA", url: "https://docs.nvidia.com/cuda/eula/" },
    note: [
      "libcudart_static (with the culibos in it), linked into addons that have CUDA kernels. Attachment A of the licence",
      "lists it as distributable; section 1.1.2 says on which conditions. In those addons it is object code, reached by papo",
      "alone. It is NVIDIA's and stays under NVIDIA's terms, papo's own licence does not extend to it: among others it may",
      "not be taken out and used or passed on by itself, nor reverse engineered, decompiled or disassembled (1.2), and is",
      "for systems with NVIDIA GPUs (2.1). NVIDIA neither sponsors nor endorses papo. An addon built without CUDA",
      "(`papo info` says so) has none of it.",
    ].join(" "),
  },
  {
    name: "libstdc++ and libgcc",
    ways: ["compiled", "system"],
    licence: { spdx: "GPL-3.0-or-later WITH GCC-exception-3.1" },
    note: [
      "Templates and inline functions of the compiler's C++ library, and its support code, are in addons for Linux, on any",
      "terms, by the GCC Runtime Library Exception. The libraries themselves are the system's.",
    ].join(" "),
    libraries: /^(libstdc\+\+\.so\.6|libgcc_s\.so\.1)$/,
  },
  {
    name: "glibc",
    ways: ["system"],
    licence: { spdx: "LGPL-2.1-or-later" },
    note: "The C library of addons named glibc; linked when they are loaded.",
    libraries: /^(lib[cm]\.so\.6|ld-linux-(x86-64|aarch64)\.so\.[12])$/,
  },
  {
    name: "musl",
    ways: ["system"],
    licence: { spdx: "MIT" },
    note: "The C library of addons named musl; linked when they are loaded.",
    libraries: /^(libc\.musl-\w+\.so\.1|libc\.so)$/,
  },
  {
    name: "@tensorflow/tfjs-core",
    ways: ["peer"],
    licence: { spdx: "Apache-2.0" },
    note: "What `papo/tfjs` is for; handed over by the program that uses it.",
  },
  {
    name: "@jax-js/jax",
    ways: ["peer"],
    licence: { spdx: "MIT" },
    note: "What `papo/jax` is for; handed over by the program that uses it.",
  },
  {
    name: "sharp",
    ways: ["peer"],
    licence: { spdx: "Apache-2.0" },
    note: "Reads and writes image files for `papo/masking`; imported where the program has it.",
  },
];

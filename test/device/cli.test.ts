/** `papo loss` and `papo check` with their logits on a device. */
import { join } from "node:path";
import anyTest from "ava";
import { fromBfloat16 } from "../../lib/index.js";
import { SafetensorsFile } from "../../lib/io/safetensors.js";
import { BatchBytes, folder, namesIn, papo, papoJson } from "../cli/papo.js";
import { assertClose } from "../support/close.js";
import { GOLDEN_NAMES, goldenPath } from "../support/golden.js";
import { GRADIENT_TOLERANCES, TOLERANCES } from "../support/tolerances.js";
import { SIMULATED } from "./conditions.js";
import { freeBytes } from "./devices.js";

/** One after the other: they look at the memory of the device. */
const test = anyTest.serial;

const [ODD, BF16] = ["odd-plain-papo_g_7b", "tiny-plain-papo_exact-bf16"].map(goldenPath) as [
  string,
  string,
];

test("every golden file holds on a device", async (t) => {
  const files = GOLDEN_NAMES.map(goldenPath);
  // The engine keeps what it stages calls in; everything else is given back.
  await papo(["check", ODD, "--device", "cuda"]);
  const before = freeBytes();
  const { code, json, stderr } = await papoJson(["check", ...files, "--device", "cuda"]);
  t.is(stderr, "");
  t.is(code, 0);
  t.is(json.summary.quantities.hold, json.summary.quantities.all);
  if (SIMULATED) t.is(freeBytes(), before, "its memory is given back");
});

test("a file that does not hold on the CPU does not on a device", async (t) => {
  const bytes = new BatchBytes(ODD);
  const gradient = bytes.array("expected.grad_logits");
  gradient[gradient.length - 1] = 1;
  const path = bytes.write(join(folder(t), "changed.safetensors"));
  const { code, json } = await papoJson(["check", path, "--device", "cuda:0"]);
  t.is(code, 1);
  const [failing] = json.files[0].quantities.filter(({ holds }: { holds: boolean }) => !holds);
  t.is(failing.name, "grad_logits");
});

for (const path of [ODD, BF16]) {
  test(`${path.split("/").at(-1)}: results are the same however many rows a block has`, async (t) => {
    const at = folder(t);
    const written: Map<string, ArrayLike<number>>[] = [];
    for (const rows of ["automatic", "1", "2", "5"]) {
      const out = join(at, `${rows}.safetensors`);
      const args = ["loss", path, "--device", "cuda", "--block-rows", rows, "--out", out];
      t.is((await papo(args)).code, 0);
      const file = await SafetensorsFile.open(out);
      const results = new Map<string, ArrayLike<number>>();
      for (const [name, { dtype }] of file.tensors) {
        const values = await file.read(name);
        results.set(
          name,
          (dtype === "BF16" ? fromBfloat16(values as Uint16Array) : values) as Float32Array,
        );
      }
      written.push(results);
      await file.close();
    }
    const [whole, ...parts] = written as [(typeof written)[0], ...typeof written];
    for (const part of parts) {
      for (const [name, values] of whole) {
        const isBits = path === BF16 && name.startsWith("grad_");
        const tolerance = isBits ? GRADIENT_TOLERANCES.bfloat16 : TOLERANCES.golden;
        assertClose(t, name, part.get(name) ?? [], values, tolerance);
      }
    }
    t.true(Array.from(whole.get("grad_logits") ?? []).some((value) => value !== 0));
  });
}

test("float32 gradients of half logits are written from a device", async (t) => {
  const out = join(folder(t), "result.safetensors");
  const args = ["--device", "cuda", "--grad-dtype", "float32", "--grad-scale", "4", "--out", out];
  t.is((await papo(["loss", BF16, ...args])).code, 0);
  const file = await SafetensorsFile.open(out);
  t.is(file.info("grad_logits").dtype, "F32");
  await file.close();
});

test("a row that cannot be evaluated is named, and leaves no file and no memory", async (t) => {
  const at = folder(t);
  const bytes = new BatchBytes(ODD);
  const { shape } = bytes.header.logits as { shape: readonly number[] };
  const [vocab, mask] = [shape.at(-1) as number, bytes.array("response_mask")];
  const row = mask.lastIndexOf(1);
  bytes.array("logits").fill(Number.NaN, row * vocab, (row + 1) * vocab);
  const path = bytes.write(join(at, "batch.safetensors"));
  const before = freeBytes();
  const args = ["loss", path, "--device", "cuda", "--block-rows", "2", "--out", join(at, "out")];
  const { code, json } = await papoJson(args);
  t.is(code, 3);
  t.like(json.error, { code: "ERR_NOT_FINITE", row });
  t.deepEqual(namesIn(at), ["batch.safetensors"]);
  if (SIMULATED) t.is(freeBytes(), before);
});

test("a device beyond those that are there is an error that names them", async (t) => {
  const { code, stderr } = await papo(["check", ODD, "--device", "cuda:77"]);
  t.is(code, 4);
  t.regex(stderr, /^papo check: cuda:77 is not available: there (is|are) only cuda:0/);
});

/** The header's JSON: what `JSON.parse` takes is taken, and what it makes of hostile text never is. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import fc from "fast-check";
import { HeaderJson } from "../../lib/io/header-json.js";
import { SafetensorsFile } from "../../lib/io/safetensors.js";
import { SafetensorsWriter } from "../../lib/io/safetensors-writer.js";
import { safetensorsBytes } from "../support/safetensors-bytes.js";

const folder = mkdtempSync(join(tmpdir(), "papo-header-"));
test.after.always(() => rmSync(folder, { recursive: true }));

let files = 0;
function fileOf(header: string, data?: Uint8Array): string {
  const path = join(folder, `${files++}.safetensors`);
  writeFileSync(path, safetensorsBytes(header, data));
  return path;
}

const U8 = (shape: string, offsets = "0,0") =>
  `{"dtype":"U8","shape":${shape},"data_offsets":[${offsets}]}`;

/** The message, without the file's name. */
async function refusalOf(header: string, data?: Uint8Array): Promise<string> {
  const path = fileOf(header, data);
  try {
    const file = await SafetensorsFile.open(path);
    await file.close();
    return "nothing against it";
  } catch (error) {
    const { name, code, message } = error as Error & { code: string };
    if (name !== "PapoError" || code !== "ERR_FILE") throw error;
    return message.replace(`[safetensors: ${path}] expected `, "");
  }
}

/** Whether a text is one JSON value. */
function isTaken(text: string): boolean {
  class Refused extends Error {}
  const json = new HeaderJson(Buffer.from(text), (received) => new Refused(received));
  try {
    json.skip();
    json.end();
    return true;
  } catch (error) {
    if (error instanceof Refused) return false;
    throw error;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const token = fc.constantFrom(
  ...["{", "}", "[", "]", ",", ":", '"', '"a"', '"b\\n"', '"\\u00e9"', '"\\x"', "\\", "\u0007"],
  ...["0", "1", "-", "-0", "01", "1.5", "1.", ".5", "1e5", "1E+", "1e400", "12", "true", "tru"],
  ...["false", "null", "nul", " ", "\n", "\t", "\u00a0", "\ufeff", "é", "😀"],
);

test("text is taken exactly where it is JSON", (t) => {
  const texts = fc.oneof(
    fc.json(),
    fc.array(token, { maxLength: 12 }).map((tokens) => tokens.join("")),
    // JSON with a token put into it.
    fc
      .tuple(fc.json(), fc.nat(), token)
      .map(
        ([text, at, one]) => text.slice(0, at % text.length) + one + text.slice(at % text.length),
      ),
  );
  let taken = 0;
  fc.assert(
    fc.property(texts, (text) => {
      t.is(isTaken(text), isJson(text), text);
      if (isTaken(text)) taken++;
    }),
    { numRuns: 2000, examples: [["1"], ["01"], ['"\\u12"'], ['{"a":1,}'], ["[1 2]"], [""]] },
  );
  t.true(taken > 100);
});

test("names come in the order of the text, also those that look like numbers", async (t) => {
  const names = ["b", "10", "a", "2", "__proto__", "constructor", ""];
  const header = names.map((name) => `${JSON.stringify(name)}:${U8("[0]")}`).join(",");
  await using file = await SafetensorsFile.open(fileOf(`{${header}}`));
  t.deepEqual([...file.tensors.keys()], names);
});

test("fields that the format does not have are passed over, whatever they hold", async (t) => {
  const fields = '"more":{"a":[1,-2.5e3,"]}",{"dtype":null}],"a":2},"shape":[0]';
  const header = `{"x":{"dtype":"U8",${fields},"data_offsets":[0,0]}}`;
  t.is(await refusalOf(header), "nothing against it");
});

for (const [what, header, message] of [
  ["a dtype that is a number", '{"x":{"dtype":5}}', /5$/],
  ["a count with a point", `{"x":${U8("[1.0]", "0,1")}}`, /the shape of tensor "x" .*\[1\.0\]$/],
  ["a count with an exponent", `{"x":${U8("[1e0]", "0,1")}}`, /the shape of tensor "x"/],
  ["a negative zero", `{"x":${U8("[-0]")}}`, /the shape of tensor "x" .*\[-0\]$/],
  ["a count of 2^53", `{"x":${U8("[9007199254740992,0]")}}`, /the shape of tensor "x"/],
  ["a count of 10^400", `{"x":${U8("[1e400,0]")}}`, /the shape of tensor "x"/],
  ["an offset of 2^64", `{"x":${U8("[0]", "18446744073709551616,0")}}`, /two byte counts/],
  ["three offsets", `{"x":${U8("[0]", "0,0,0")}}`, /two byte counts, received \[0,0,0\]$/],
  [
    "a product beyond 2^53 that a zero hides",
    `{"x":${U8("[9007199254740991,9007199254740991,0]")}}`,
    /tensor "x" to take less than 2\^53 bytes, received \[9007199254740991, 9007199254740991, 0\]$/,
  ],
  [
    "a product that is infinite times zero",
    `{"x":${U8(`[${"9007199254740991,".repeat(40)}0]`)}}`,
    /less than 2\^53 bytes/,
  ],
  ["65 dimensions", `{"x":${U8(`[${"1,".repeat(64)}1]`, "0,1")}}`, /at most 64, received \[1,1,/],
  ["half of a character in a name", `{"\\ud800":${U8("[0]")}}`, /instead of whole characters$/],
  ["metadata twice", '{"__metadata__":{},"__metadata__":{}}', /"__metadata__" twice/],
  ["a word of metadata twice", '{"__metadata__":{"a":"1","\\u0061":"2"}}', /"a" twice/],
  ["metadata null", '{"__metadata__":null}', /__metadata__ to be an object, received null$/],
  ["129 levels", `{"x":{"y":${"[".repeat(129)}${"]".repeat(129)}}}`, /at most 128 levels$/],
  [
    "a NUL after the end",
    `{"x":${U8("[0]")}}\0`,
    /there is "\\u0000" at byte 53 instead of the end/,
  ],
  ["a control character in a name", `{"\u0001":${U8("[0]")}}`, /instead of the end of a string$/],
  ["a name without its end", '{"x', /it ends at byte 3 instead of the end of a string$/],
  ["an escape at the end", '{"x\\', /it ends at byte 5 instead of the end of a string$/],
] as const) {
  test(`${what}: refused`, async (t) => {
    t.regex(await refusalOf(header, new Uint8Array(header.includes("0,1]") ? 1 : 0)), message);
  });
}

test("a message stays short, however long and wide the header", async (t) => {
  for (const header of [
    `{"x":${U8(`[${"1,".repeat(1e5)}1]`)}}`,
    `{"x":${U8(`${"[".repeat(1e5)}`)}}`,
    `{"x":${"[".repeat(1e5)}`,
    `{"x":${'{"a":'.repeat(1e5)}`,
    `{"x":{"y":${"[".repeat(1e5)}`,
    `{"${"x".repeat(1e5)}":1}`,
    `{"x":{"dtype":"${"x".repeat(1e5)}"}}`,
    `{"__metadata__":{"x":${"1".repeat(1e5)}}}`,
    `{"x":{"dtype":"U8","shape":[${"9007199254740991,".repeat(63)}0],"data_offsets":[0,0]}}`,
  ]) {
    const message = await refusalOf(header);
    t.true(message.length < 1500, `${message.length}: ${message.slice(0, 200)}`);
  }
});

test("more names than a million are refused: tensors, and words of metadata", async (t) => {
  const words = Array.from({ length: 2 ** 20 + 1 }, (_, i) => `"${i}":""`).join();
  t.regex(await refusalOf(`{"__metadata__":{${words}}}`), /^at most 1048576 names, received more$/);
});

test("what no reader would take is not written", async (t) => {
  const entry = { dtype: "U8", shape: [0] } as const;
  const create = (entries: object, metadata = {}) =>
    SafetensorsWriter.create(join(folder, "out.safetensors"), entries as never, metadata);
  await t.throwsAsync(create({ "\ud800": entry }), { code: "ERR_ARGUMENT", message: /whole char/ });
  await t.throwsAsync(create({}, { "a\udfff": "" }), { code: "ERR_ARGUMENT" });
  await t.throwsAsync(create({}, { a: "\ud800" }), {
    code: "ERR_ARGUMENT",
    message: /metadata "a"/,
  });
  const long = { dtype: "U8", shape: new Array(65).fill(1) };
  await t.throwsAsync(create({ x: long }), { code: "ERR_SHAPE", message: /at most 64/ });
  const wide = { dtype: "U8", shape: [2 ** 53 - 1, 2 ** 53 - 1, 0] };
  await t.throwsAsync(create({ x: wide }), { code: "ERR_SHAPE" });
});

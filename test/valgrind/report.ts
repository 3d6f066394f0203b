/** valgrind's report in XML: what has a frame of papo in one of its stacks, as text. */

interface Problems {
  readonly ours: readonly string[];
  /** How many there are that only concern the runtime. */
  readonly others: number;
}

/** Throws where the report is not whole. */
export function problemsIn(xml: string): Problems {
  if (!xml.includes("</valgrindoutput>")) throw new Error("valgrind's report has no end");
  const all = [...xml.matchAll(/<error>(.*?)<\/error>/gs)].map(([, error]) => error as string);
  const ours = all.filter((error) => OURS.test(error)).map(textOf);
  return { ours, others: all.length - ours.length };
}

const OURS = /<obj>[^<]*\/papo(?:\.node|_tests)<\/obj>/;

function textOf(error: string): string {
  const what = within(error, "text") ?? within(error, "what") ?? within(error, "kind");
  const lines = [...error.matchAll(/<frame>(.*?)<\/frame>|<auxwhat>(.*?)<\/auxwhat>/gs)].map(
    ([, frame, aside]) => (frame === undefined ? `  ${aside}` : `    ${placeOf(frame)}`),
  );
  return [what, ...lines].join("\n");
}

function placeOf(frame: string): string {
  const [name, file] = [within(frame, "fn"), within(frame, "file")];
  const where = file === undefined ? within(frame, "obj") : `${file}:${within(frame, "line")}`;
  return `${name ?? within(frame, "ip")} (${where})`;
}

function within(xml: string, tag: string): string | undefined {
  const text = new RegExp(`<${tag}>(.*?)</${tag}>`, "s").exec(xml)?.[1];
  return text?.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

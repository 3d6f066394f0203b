/** TypeScript with its types blanked in place, and where in it there is code. */
import blankSpace from "ts-blank-space";
import ts from "typescript";

/** JavaScript of the same length: a character is where it was. */
export function blanked(source: string, file: string): string {
  const text = blankSpace(source, (node) => {
    throw new Error(`${file}: syntax that is not erasable: ${node.getText()}`);
  });
  // Not in Node 20 yet. What is disposed of by `using` is left open here, which nothing counts.
  return text.replaceAll(/^( *)using (?=\w+ = )/gm, "$1const ");
}

/** From where to where a token stands, in characters: names, keywords and literals, neither comments nor punctuation. */
export type Token = readonly [start: number, end: number];

export function tokensOf(javascript: string): Token[] {
  const file = ts.createSourceFile("a.js", javascript, ts.ScriptTarget.Latest, false);
  const tokens: Token[] = [];
  const visit = (node: ts.Node): void => {
    if (node.kind >= ts.SyntaxKind.FirstJSDocNode && node.kind <= ts.SyntaxKind.LastJSDocNode) {
      return;
    }
    const parts = node.getChildren(file);
    for (const part of parts) visit(part);
    const isToken = parts.length === 0 && node.kind <= ts.SyntaxKind.LastToken;
    const isPunctuation =
      node.kind >= ts.SyntaxKind.FirstPunctuation && node.kind <= ts.SyntaxKind.LastPunctuation;
    if (isToken && !isPunctuation) tokens.push([node.getStart(file), node.getEnd()]);
  };
  visit(file);
  return tokens.filter(([start, end]) => end > start);
}

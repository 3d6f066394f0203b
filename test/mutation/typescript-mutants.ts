/** All mutants of a TypeScript file at once: each expression becomes `$m(id) ? changed : itself`. */
import ts from "typescript";
import { brief, type Instrumented, type Mutant } from "./mutant.js";

const K = ts.SyntaxKind;

/** Operators and what they become. */
const OPERATORS: ReadonlyMap<ts.SyntaxKind, readonly string[]> = new Map([
  [K.PlusToken, ["-"]],
  [K.MinusToken, ["+"]],
  [K.AsteriskToken, ["/"]],
  [K.SlashToken, ["*"]],
  [K.PercentToken, ["*"]],
  [K.AsteriskAsteriskToken, ["*"]],
  [K.LessThanToken, ["<=", ">="]],
  [K.LessThanEqualsToken, ["<", ">"]],
  [K.GreaterThanToken, [">=", "<="]],
  [K.GreaterThanEqualsToken, [">", "<"]],
  [K.EqualsEqualsEqualsToken, ["!=="]],
  [K.ExclamationEqualsEqualsToken, ["==="]],
  [K.AmpersandAmpersandToken, ["||"]],
  [K.BarBarToken, ["&&"]],
  [K.PlusEqualsToken, ["-="]],
  [K.MinusEqualsToken, ["+="]],
  [K.AsteriskEqualsToken, ["/="]],
  [K.SlashEqualsToken, ["*="]],
]);

const FUNCTIONS: Readonly<Record<string, string>> = {
  "Math.max": "Math.min",
  "Math.min": "Math.max",
  "Math.exp": "Math.expm1",
  "Math.expm1": "Math.exp",
  "Math.log": "Math.log1p",
  "Math.log1p": "Math.log",
  "Math.sqrt": "",
  "Math.abs": "",
  "Math.sign": "",
  "Math.floor": "Math.ceil",
  "Math.ceil": "Math.floor",
};

export function typescriptMutants(file: string, code: string, firstId: number): Instrumented {
  const tree = ts.createSourceFile(file, code, ts.ScriptTarget.ES2022, true);
  const lines = code.split("\n");
  const mutants: Mutant[] = [];
  const seen = new Map<string, number>();

  const add = (node: ts.Node, changed: string): number => {
    const start = node.getStart(tree);
    const { line } = tree.getLineAndCharacterOfPosition(start);
    const id = firstId + mutants.length;
    const text = (lines[line] as string).trim();
    const plain = `${brief(node.getText(tree))} → ${brief(changed)}`;
    // Several like it on lines like this one are told apart by their order.
    const like = (seen.get(`${text} ${plain}`) ?? 0) + 1;
    seen.set(`${text} ${plain}`, like);
    const change = like === 1 ? plain : `${plain} (${like})`;
    mutants.push({ id, file, line: line + 1, text, change });
    return id;
  };

  /** The node's text with every mutant below it. */
  const rendered = (node: ts.Node): string => {
    if (ts.isTypeNode(node) || isDeclarative(node)) return node.getText(tree);
    const alternatives = alternativesOf(node, tree).map(
      (changed) => [add(node, changed), changed] as const,
    );
    let text = "";
    let at = node.getStart(tree);
    node.forEachChild((child) => {
      // Modifiers, decorators and types come in order too; a child without text is a parser's gift.
      if (child.getStart(tree) < at) return;
      text += code.slice(at, child.getStart(tree)) + rendered(child);
      at = child.end;
    });
    text += code.slice(at, node.end);
    if (alternatives.length === 0) return text;
    const choices = alternatives.map(([id, changed]) => `$m(${id}) ? (${changed}) : `).join("");
    return `(${choices}(${text}))`;
  };

  let source = "";
  let at = 0;
  for (const statement of tree.statements) {
    source += code.slice(at, statement.getStart(tree)) + rendered(statement);
    at = statement.end;
  }
  return { source: source + code.slice(at), mutants };
}

/** Nodes whose inside is no computation. */
function isDeclarative(node: ts.Node): boolean {
  return (
    ts.isImportDeclaration(node) ||
    ts.isExportDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isThrowStatement(node)
  );
}

/** What an expression becomes; nothing where it is none, or only names something. */
function alternativesOf(node: ts.Node, tree: ts.SourceFile): string[] {
  const text = (of: ts.Node) => of.getText(tree);
  if (ts.isBinaryExpression(node)) {
    const { left, right, operatorToken } = node;
    if (isWord(left) || isWord(right)) return [];
    // A walk of steps more mostly reads undefined and writes beyond a typed array, which does nothing.
    const isLonger = (to: string) =>
      to === "<=" ? isCondition(node) : to === "-" && isCondition(node.parent);
    const changed = (OPERATORS.get(operatorToken.kind) ?? []).filter((to) => !isLonger(to));
    return changed.map((operator) => `${text(left)} ${operator} ${text(right)}`);
  }
  if (ts.isNumericLiteral(node)) {
    if (ts.isPropertyAssignment(node.parent) && node.parent.name === node) return [];
    const value = Number(node.text.replaceAll("_", ""));
    return [value !== 0 && Math.abs(value) < 1 ? `${2 * value}` : `${value + 1}`];
  }
  if (ts.isPrefixUnaryExpression(node)) {
    const { operator, operand } = node;
    return operator === K.MinusToken || operator === K.ExclamationToken ? [text(operand)] : [];
  }
  if (ts.isCallExpression(node)) {
    const changed = FUNCTIONS[text(node.expression)];
    if (changed === undefined) return [];
    return [`${changed}(${node.arguments.map(text).join(", ")})`];
  }
  if (node.kind === K.TrueKeyword) return ["false"];
  if (node.kind === K.FalseKeyword) return ["true"];
  const { parent } = node;
  const isAsked =
    (ts.isIfStatement(parent) && parent.expression === node) ||
    (ts.isConditionalExpression(parent) && parent.condition === node);
  return isAsked && (ts.isIdentifier(node) || ts.isPropertyAccessExpression(node))
    ? [`!(${text(node)})`]
    : [];
}

/** Whether a node says how long a `for` goes on. */
function isCondition(node: ts.Node): boolean {
  return ts.isForStatement(node.parent) && node.parent.condition === node;
}

/** An operand that makes its operation one on words, or a question of whether something is there. */
function isWord(node: ts.Node): boolean {
  return (
    ts.isTemplateExpression(node) ||
    ts.isNoSubstitutionTemplateLiteral(node) ||
    ts.isTypeOfExpression(node) ||
    (ts.isIdentifier(node) && node.text === "undefined")
  );
}

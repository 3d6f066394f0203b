/** What a module can reach outside of itself, read from its syntax: imports, and the names that need none. */
import ts from "typescript";

export interface Reach {
  /** Imported names by module; types are not counted, `*` is all of it. */
  readonly imports: ReadonlyMap<string, readonly string[]>;
  /** Code from text, processes' environment, the network, modules whose name is computed: what nobody needs to import. */
  readonly names: readonly string[];
}

/** Names of globals, and members of `process`, that are noted. */
const GLOBALS = new Set(
  "eval Function require fetch WebSocket EventSource XMLHttpRequest WebAssembly globalThis".split(
    " ",
  ),
);
const OF_PROCESS = new Set(
  "env binding dlopen kill chdir setuid getBuiltinModule _linkedBinding".split(" "),
);

/** Reads TypeScript or JavaScript. */
export function reachOf(name: string, text: string): Reach {
  const file = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
  const imports = new Map<string, string[]>();
  const names: string[] = [];
  const imported = (module: string, what: readonly string[]) => {
    if (what.length > 0) imports.set(module, [...(imports.get(module) ?? []), ...what].sort());
  };
  const walk = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      const module = node.moduleSpecifier;
      if (module && ts.isStringLiteral(module)) imported(module.text, namesOf(node));
      return;
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [module] = node.arguments;
      if (module && ts.isStringLiteral(module)) imported(module.text, ["*"]);
      else names.push("import()");
    }
    if (ts.isIdentifier(node) && isNoted(node)) names.push(node.text);
    if (ts.isPropertyAssignment(node) && node.name.getText() === "shell") names.push("shell:");
    if (isMemberOfProcess(node)) names.push(`process.${node.name.text}`);
    ts.forEachChild(node, walk);
  };
  walk(file);
  return { imports, names: [...new Set(names)].sort() };
}

function namesOf(node: ts.ImportDeclaration | ts.ExportDeclaration): string[] {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly ? [] : ["*"];
  const clause = node.importClause;
  if (clause === undefined) return ["*"];
  if (clause.isTypeOnly) return [];
  const bindings = clause.namedBindings;
  const whole = clause.name ? ["default"] : [];
  if (!bindings) return whole;
  if (ts.isNamespaceImport(bindings)) return [...whole, "*"];
  const values = bindings.elements.filter((element) => !element.isTypeOnly);
  return [...whole, ...values.map((element) => (element.propertyName ?? element.name).text)];
}

/** A global itself, not a member or a key of that name, nor a type. */
function isNoted(node: ts.Identifier): boolean {
  if (!GLOBALS.has(node.text)) return false;
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) return false;
  if (ts.isPropertyAssignment(parent) && parent.name === node) return false;
  return !ts.isTypeNode(parent) && !ts.isTypeReferenceNode(parent);
}

function isMemberOfProcess(node: ts.Node): node is ts.PropertyAccessExpression {
  if (!ts.isPropertyAccessExpression(node) || !OF_PROCESS.has(node.name.text)) return false;
  return ts.isIdentifier(node.expression) && node.expression.text === "process";
}

/** All mutants of a C++ file at once, by its text: clang-format's spaces tell a binary operator from everything else. */
import type { Instrumented, Mutant } from "./mutant.js";

/** Operators, what they become, and how the text is changed so that the switch decides: see papo_mutant.hpp. */
const BINARY: Readonly<Record<string, readonly string[]>> = {
  "+": ["-"],
  "-": ["+"],
  "*": ["/"],
  "/": ["*"],
  "<": ["<=", ">="],
  "<=": ["<", ">"],
  ">": [">=", "<="],
  ">=": [">", "<"],
  "==": ["!="],
  "!=": ["=="],
  "&&": ["||"],
  "||": ["&&"],
};
const ASSIGNMENTS: Readonly<Record<string, string>> = { "+=": "-=", "-=": "+=", "*=": "/=" };
const FUNCTIONS: Readonly<Record<string, string>> = {
  exp: "expm1",
  expm1: "exp",
  log: "log1p",
  log1p: "log",
  fmin: "fmax",
  fmax: "fmin",
  fabs: "",
};

/**
 * Lines that are not for mutants: what has to be constant, what walks over memory (whose mutants write out of bounds, which
 * the sanitizers' tests are for), and where the right side must not be looked at unless the left one holds.
 */
const UNTOUCHED =
  /^\s*(#|\/\/|template\b|for \(|case\b|using\b|enum\b)|\bconstexpr\b|nullptr|"|\[|^\s*\S+\]/;

const TOKENS =
  /(?<=\S )(?<binary>[+\-*/<>]|<=|>=|==|!=|&&|\|\|)(?= |$)|(?<=\S )(?<assignment>[+\-*]=)(?= )|(?<![\w.:])(?<call>exp|expm1|log|log1p|fmin|fmax|fabs)(?=\()|(?<=[(,?:=] |\(|return |^\s+)(?<sign>-)(?=[a-z(])|(?<=[(,?:=*+\-/<>] |\(|return |\{|, )(?<number>\d+(?:\.\d+)?)(?=[ ,;:)}]|$)/g;

export function nativeMutants(file: string, code: string, firstId: number): Instrumented {
  const mutants: Mutant[] = [];
  const lines = code.split("\n").map((whole, index) => {
    if (UNTOUCHED.test(whole)) return whole;
    const [line = "", ...comment] = whole.split(/(?= \/\/)/);
    const add = (change: string): number => {
      const id = firstId + mutants.length;
      mutants.push({ id, file, line: index + 1, text: line.trim(), change });
      return id;
    };
    const changed = line.replace(TOKENS, (token, ...rest) => {
      const { binary, assignment, call, sign } = rest.at(-1) as Record<string, string | undefined>;
      // Which of several like it on the line, where there are several.
      const column = line.slice(Math.max(0, (rest.at(-3) as number) - 12), rest.at(-3) as number);
      const at = `${column.trimStart()}‹${token}›`;
      if (binary !== undefined) {
        const [id] = (BINARY[binary] ?? []).map((to) => add(`${at} → ${to}`));
        return `${binary} papo_mutant::Operator<${id}>{} ${binary}`;
      }
      if (assignment !== undefined) {
        const id = add(`${at} → ${ASSIGNMENTS[assignment]}`);
        return `${assignment} papo_mutant::Assigned<${id}>{} ${assignment}`;
      }
      if (call !== undefined) {
        return `papo_mutant::${call}<${add(`${at} → ${FUNCTIONS[call]}`)}>`;
      }
      if (sign !== undefined) return `papo_mutant::Sign<${add(`${at} →`)}>{}->*`;
      const value = Number(token);
      const to = value !== 0 && value < 1 ? 2 * value : value + 1;
      const written = token.includes(".") && Number.isInteger(to) ? `${to}.0` : `${to}`;
      return `papo_mutant::number<${add(`${at} → ${to}`)}>(${token}, ${written})`;
    });
    return changed + comment.join("");
  });
  const include = lines.findIndex((line) => line.startsWith("#include"));
  if (mutants.length > 0) lines.splice(Math.max(0, include), 0, '#include "papo_mutant.hpp"');
  return { source: lines.join("\n"), mutants };
}

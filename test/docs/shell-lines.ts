/** Lines of shell in the pages: which commands they are, and whether those exist. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./programs.js";

export interface Command {
  /** The words; `npx papo` is `papo`. Settings of variables before them are left out. */
  readonly words: readonly string[];
  readonly comment: string;
}

/** Every command of a block, also those behind `&&`. */
export function commandsOf(code: string): Command[] {
  return code.split("\n").flatMap((line) => {
    const [, text = "", comment = ""] = /^(.*?)(?:(?:^|\s)#\s*(.*))?$/.exec(line) ?? [];
    return text.split("&&").flatMap((part) => {
      const all = part.trim().split(/\s+/);
      const words = all.slice(all.findIndex((word) => !/^[A-Z_]+=/.test(word)));
      if (words[0] === "" || words.length === 0) return [];
      return [
        { words: words[0] === "npx" && words[1] === "papo" ? words.slice(1) : words, comment },
      ];
    });
  });
}

/** Tools of the machine, and what is built before it is called. */
const ELSEWHERE = /^(?:apt-get|cmake|ctest|nvcc|build\/)/;

/** Whether npm has the script, the project the program, and the repository the files that a command names. */
export function isKnown([program = "", ...rest]: readonly string[], scripts: object): boolean {
  if (ELSEWHERE.test(program)) return true;
  if (program === "npm") return isScript(rest, scripts);
  if (program === "papo") return ["info", "loss", "check", "build"].includes(rest[0] ?? "");
  if (program === "npx") {
    const [name = "", ...words] = rest;
    const paths = words.filter((word) => word.includes("/") && !word.startsWith("--"));
    const folders = paths.map((path) => path.replace(/\/[^/]*\*.*$/, ""));
    return isThere(`node_modules/.bin/${name}`) && folders.every(isThere);
  }
  return isThere(program);
}

function isScript([verb = "", name = ""]: readonly string[], scripts: object): boolean {
  if (["ci", "install", "pack"].includes(verb)) return true;
  return (verb === "run" ? name : verb) in scripts;
}

const isThere = (path: string): boolean =>
  existsSync(join(ROOT, path)) || path.startsWith("build/");

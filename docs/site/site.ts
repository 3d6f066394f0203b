/** The site as one call: guides and reference as HTML in a folder, and everything that is wrong with them. */
import { relative } from "node:path";
import { LogLevel } from "typedoc";
import { siteApplication } from "./application.js";
import { checkLinks } from "./links.js";

export interface BuiltSite {
  /** Names without documentation, links that lead nowhere, and the like, a sentence each. */
  readonly problems: readonly string[];
  readonly pages: number;
  /** Links within the site. */
  readonly links: number;
  /** Addresses outside, which nobody fetched. */
  readonly external: readonly string[];
}

/** @param out  the folder, which is emptied first */
export async function buildSite(out: string): Promise<BuiltSite> {
  const application = await siteApplication(out);
  const problems: string[] = [];
  application.logger.log = (message, level) => {
    if (level >= LogLevel.Warn) problems.push(plain(message));
  };
  const project = await application.convert();
  if (project === undefined) return { problems, pages: 0, links: 0, external: [] };
  application.validate(project);
  await application.generateOutputs(project);
  const checked = checkLinks(out);
  const broken = checked.broken.map(
    ({ page, target }) => `${relative(out, page)} links to ${target}, which is not there`,
  );
  return { ...checked, problems: [...problems, ...broken] };
}

/** Without the terminal's colours. */
function plain(message: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: an escape is what is looked for
  return message.replaceAll(/\x1b\[[0-9;]*m/g, "");
}

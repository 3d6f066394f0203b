/** The bill of materials in CycloneDX: npm's own account of what it installs, and what is compiled in or asked for. */
import { execFileSync } from "node:child_process";
import { ROOT, readManifest } from "./manifest.js";
import { versionOf } from "./notices.js";
import { PARTS, type Part } from "./parts.js";

/** What of a component npm's releases agree on. */
const KEPT = ["bom-ref", "type", "name", "version", "scope", "purl", "hashes", "licenses"] as const;

type Component = Readonly<Record<string, unknown>> & { readonly "bom-ref": string };

interface NpmBill {
  readonly specVersion: string;
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/** The bill without a time and a number of its own: the same sources give the same file. */
export function bill(): object {
  const { name, version, description, license } = readManifest();
  const npm = npmBill();
  const own = `${name}@${version}`;
  const ours = PARTS.filter(({ ways }) => !ways.includes("installed")).map(componentOf);
  const installed = npm.components.map(
    (component) => Object.fromEntries(KEPT.map((key) => [key, component[key]])) as Component,
  );
  const direct = npm.dependencies.find(({ ref }) => ref === own)?.dependsOn ?? [];
  const needed = ours.map((component) => component["bom-ref"]);
  return {
    $schema: `http://cyclonedx.org/schema/bom-${npm.specVersion}.schema.json`,
    bomFormat: "CycloneDX",
    specVersion: npm.specVersion,
    version: 1,
    metadata: {
      component: {
        "bom-ref": own,
        type: "library",
        name,
        version,
        description,
        purl: `pkg:npm/${name}@${version}`,
        licenses: [{ license: { id: license } }],
      },
    },
    components: [...installed, ...ours],
    dependencies: [
      { ref: own, dependsOn: [...direct, ...needed] },
      ...npm.dependencies.filter(({ ref }) => ref !== own),
      ...needed.map((ref) => ({ ref, dependsOn: [] })),
    ],
  };
}

/** What npm says of the lock without what is for development. */
function npmBill(): NpmBill {
  const args = ["sbom", "--package-lock-only", "--omit", "dev", "--sbom-format", "cyclonedx"];
  const output = execFileSync("npm", args, {
    cwd: ROOT,
    encoding: "utf8",
    shell: process.platform === "win32",
    stdio: ["ignore", "pipe", "ignore"],
  });
  return JSON.parse(output) as NpmBill;
}

function componentOf(part: Part): Component {
  const { name, ways, licence, note } = part;
  const version = versionOf(part);
  const isPeer = ways.includes("peer");
  const isPackage = isPeer || ways.includes("copied");
  const exact = isPeer ? "" : version;
  const ref = exact === "" ? name : `${name}@${exact}`;
  const known = "spdx" in licence;
  const isExpression = known && / (?:AND|OR|WITH) /.test(licence.spdx);
  return {
    "bom-ref": ref,
    type: "library",
    name,
    ...(exact !== "" && { version: exact }),
    scope: isPeer ? "optional" : "required",
    ...(isPackage && { purl: `pkg:npm/${ref.replace(/^@/, "%40")}` }),
    description: note,
    licenses: [
      isExpression
        ? { expression: licence.spdx }
        : { license: known ? { id: licence.spdx } : licence },
    ],
    properties: [
      { name: "papo:ways", value: ways.join(", ") },
      ...(isPeer ? [{ name: "papo:range", value: version }] : []),
    ],
  };
}

/** Needs and versions of a 64-bit little-endian ELF file by its section headers, which no loader reads. */
import { readFileSync } from "node:fs";

export interface Sections {
  readonly needed: readonly string[];
  readonly versionsNeeded: readonly { readonly library: string; readonly versions: string[] }[];
}

/** Types of sections, and the tag of a need; the System V ABI, and GNU's symbol versions. */
const DYNAMIC = 6;
const VERSIONS_NEEDED = 0x6ffffffe;
const NEEDED = 1n;

interface Section {
  readonly type: number;
  readonly begin: number;
  readonly size: number;
  /** Of the section with its names. */
  readonly link: number;
  /** Entries, of the versions. */
  readonly info: number;
}

export function sectionsOf(path: string): Sections {
  const file = readFileSync(path);
  const number = (at: number): number => Number(file.readBigUInt64LE(at));
  const [table, size, count] = [number(0x28), file.readUInt16LE(0x3a), file.readUInt16LE(0x3c)];
  const sections = Array.from({ length: count }, (_, i): Section => {
    const at = table + i * size;
    return {
      type: file.readUInt32LE(at + 4),
      begin: number(at + 0x18),
      size: number(at + 0x20),
      link: file.readUInt32LE(at + 0x28),
      info: file.readUInt32LE(at + 0x2c),
    };
  });
  const only = (type: number): Section => {
    const found = sections.filter((section) => section.type === type);
    if (found.length !== 1) throw new Error(`${found.length} sections of type ${type} in ${path}`);
    return found[0] as Section;
  };
  const text = ({ link }: Section, offset: number): string => {
    const begin = (sections[link] as Section).begin + offset;
    return file.toString("latin1", begin, file.indexOf(0, begin));
  };

  const dynamic = only(DYNAMIC);
  const needed: string[] = [];
  for (let at = dynamic.begin; at < dynamic.begin + dynamic.size; at += 16) {
    if (file.readBigUInt64LE(at) === NEEDED) needed.push(text(dynamic, number(at + 8)));
  }

  const section = only(VERSIONS_NEEDED);
  const versionsNeeded: { library: string; versions: string[] }[] = [];
  let at = section.begin;
  for (let i = 0; i < section.info; i++) {
    const versions: string[] = [];
    let version = at + file.readUInt32LE(at + 8);
    for (let left = file.readUInt16LE(at + 2); left > 0; left--) {
      versions.push(text(section, file.readUInt32LE(version + 8)));
      version += file.readUInt32LE(version + 12);
    }
    versionsNeeded.push({ library: text(section, file.readUInt32LE(at + 4)), versions });
    at += file.readUInt32LE(at + 12);
  }
  return { needed, versionsNeeded };
}

/** The floors of both trees and what may import what: a rule over paths, without any file. */

/** `file` imports `target`; both relative to the root. */
export interface Edge {
  readonly file: string;
  readonly target: string;
}

/** Rooms of `lib/` from the ground up; a room may import itself and the floors below. `index` is `lib/index.ts`. */
const LIB_FLOORS: readonly (readonly string[])[] = [
  ["core"],
  ["addon"],
  ["cuda"],
  ["tensor"],
  ["autograd"],
  ["ops"],
  ["functional", "surrogates", "masking", "io"],
  ["advantages", "rewards", "rollout", "selection"],
  ["objective", "monitor"],
  ["formulas", "peers"],
  ["index"],
  ["cli", "adapters"],
];

/** Rooms of `native/` from the ground up. */
const NATIVE_FLOORS: readonly (readonly string[])[] = [
  ["core"],
  ["math"],
  ["cuda/device"],
  ["ops"],
  ["cpu", "cuda"],
  ["addon"],
];

/** Why the edge is not allowed, or undefined where it is. Targets outside the two trees are nobody's business here. */
export function objection({ file, target }: Edge): string | undefined {
  const lib = crossing(file, target, "lib/", LIB_FLOORS);
  if (lib !== undefined) return objectionInLib(lib.from, lib.to);
  const native = crossing(file, target, "native/", NATIVE_FLOORS);
  return native && objectionInNative(native.from, native.to);
}

interface Place {
  readonly room: string;
  readonly floor: number;
}

function crossing(
  file: string,
  target: string,
  tree: string,
  floors: readonly (readonly string[])[],
) {
  if (!file.startsWith(tree) || !target.startsWith(tree)) return undefined;
  return {
    from: place(file.slice(tree.length), floors),
    to: place(target.slice(tree.length), floors),
  };
}

/** The room with the longest name that the path lies in; floor −1 for a room that stands on no floor. */
function place(path: string, floors: readonly (readonly string[])[]): Place {
  const rooms = floors
    .flat()
    .filter((room) => path.startsWith(`${room}/`) || path.startsWith(`${room}.`));
  const room = rooms.sort((a, b) => b.length - a.length)[0] ?? path.split("/")[0] ?? path;
  return { room, floor: floors.findIndex((floor) => floor.includes(room)) };
}

function objectionInLib(from: Place, to: Place): string | undefined {
  if (from.room === to.room) return undefined;
  if (to.room === "reference") return "lib does not import the reference";
  if (from.room === "reference") {
    return to.room === "core" ? undefined : "the reference imports core only";
  }
  return upOrSideways(from, to);
}

function objectionInNative(from: Place, to: Place): string | undefined {
  if (from.room === to.room) return undefined;
  // One-token arithmetic is compiled for host and device alike, so it leans on nothing, not even on core.
  if (from.room === "math") return "math sees itself only";
  return upOrSideways(from, to);
}

function upOrSideways(from: Place, to: Place): string | undefined {
  if (from.floor < 0) return `${from.room} stands on no floor`;
  if (to.floor < 0) return `${to.room} stands on no floor`;
  if (to.floor > from.floor) return `${from.room} imports up, into ${to.room}`;
  if (to.floor === from.floor) return `${from.room} imports sideways, into ${to.room}`;
  return undefined;
}

/** Which sequences answer the same prompt. */
import { arrayLength, isArray } from "../core/arrays.js";
import { describe, expected } from "../core/errors.js";
import { typedArrayClass } from "../core/typed-array.js";

/** One id per sequence, equal within a group, in any order: numbers, strings or bigints. */
export type GroupsInput =
  | Int32Array
  | Float64Array
  | BigInt64Array
  | readonly (number | string | bigint)[];

/** How sequences form groups, a prompt each. */
export interface GroupOptions {
  /** [sequences] an id for each sequence. Either this or `groupSize`. */
  readonly groups?: GroupsInput | undefined;
  /** Sequences of one group, one group after the other. */
  readonly groupSize?: number | undefined;
}

const ID_ARRAYS = ["Int32Array", "Float64Array", "BigInt64Array"];

/**
 * The sequences of each group, ascending; groups in the order of their first sequence. Undefined where neither option is given.
 *
 * @throws PapoError ERR_ARGUMENT, ERR_SHAPE, ERR_RANGE
 */
export function groupsOf(
  where: string,
  { groups, groupSize }: GroupOptions,
  sequences: number,
): Int32Array[] | undefined {
  if (groups !== undefined && groupSize !== undefined) {
    throw expected("ERR_ARGUMENT", where, "either groups or groupSize", "both");
  }
  if (groups !== undefined) return byId(where, groups, sequences);
  return groupSize === undefined ? undefined : bySize(where, groupSize, sequences);
}

function bySize(where: string, size: unknown, sequences: number): Int32Array[] {
  if (!Number.isSafeInteger(size) || (size as number) < 1) {
    throw expected("ERR_RANGE", where, "groupSize to be an integer from 1 up", describe(size));
  }
  const length = size as number;
  if (sequences % length !== 0) {
    const what = `rewards of whole groups of groupSize ${length}`;
    throw expected("ERR_SHAPE", where, what, `${sequences} sequences`);
  }
  return Array.from({ length: sequences / length }, (_, g) =>
    Int32Array.from({ length }, (_, i) => g * length + i),
  );
}

function byId(where: string, groups: unknown, sequences: number): Int32Array[] {
  const length = isArray(groups) || isIdArray(groups) ? arrayLength(groups) : undefined;
  if (length === undefined) {
    const what = `groups to be an array of ids, or a ${ID_ARRAYS.join(", ")}`;
    throw expected("ERR_ARGUMENT", where, what, describe(groups));
  }
  const ids = groups as ArrayLike<unknown>;
  if (length !== sequences) {
    throw expected("ERR_SHAPE", where, `groups [${sequences}]`, `[${length}]`);
  }
  const members = new Map<unknown, number[]>();
  for (let i = 0; i < sequences; i++) {
    const id = ids[i];
    if (!isId(id)) {
      const what = `groups[${i}] to be a finite number, a string or a bigint`;
      throw expected("ERR_ARGUMENT", where, what, describe(id));
    }
    const own = members.get(id);
    if (own === undefined) members.set(id, [i]);
    else own.push(i);
  }
  return Array.from(members.values(), (own) => Int32Array.from(own));
}

function isId(id: unknown): boolean {
  return typeof id === "string" || typeof id === "bigint" || Number.isFinite(id);
}

function isIdArray(value: unknown): boolean {
  const arrayClass = typedArrayClass(value);
  return arrayClass !== undefined && ID_ARRAYS.includes(arrayClass);
}

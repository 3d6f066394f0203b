/** Several copies of papo in one process: what is of this copy, and what only looks like it. */
import { types } from "node:util";

/** The same in every copy. */
const MARK: symbol = Symbol.for("papo.copy");

interface Mark {
  /** Of the class, for messages. */
  readonly name: string;
  /** Different in every copy. */
  readonly copy: symbol;
}

const THIS_COPY: symbol = Symbol("this copy of papo");

/** Marks a class, so that another copy of papo can say what it was given. */
export function markClass(marked: { readonly name: string; readonly prototype: object }): void {
  const mark: Mark = { name: marked.name, copy: THIS_COPY };
  Object.defineProperty(marked.prototype, MARK, { value: mark });
}

/** The name of the object's class, where that is one of another copy of papo; nothing of the object's own code runs. */
export function classOfAnotherCopy(value: object): string | undefined {
  const prototype = types.isProxy(value) ? null : Object.getPrototypeOf(value);
  if (prototype === null || types.isProxy(prototype)) return undefined;
  const mark: Partial<Mark> | undefined = Object.getOwnPropertyDescriptor(prototype, MARK)?.value;
  return mark && mark.copy !== THIS_COPY ? mark.name : undefined;
}

/** Enough of AVA to run its tests again and again in one process: test files import this as "ava". */
import { isDeepStrictEqual } from "node:util";

type Body = (t: Assertions) => unknown;
type Thrown = { readonly message: string; readonly code?: string };
interface Expected {
  readonly message?: string | RegExp;
  readonly code?: string;
  readonly instanceOf?: new (...args: never[]) => unknown;
  readonly is?: unknown;
  readonly name?: string;
}

export interface Case {
  readonly title: string;
  readonly body: Body;
}

/** Tests of the files imported so far. */
export const cases: Case[] = [];

class Assertions {
  is = (a: unknown, b: unknown): void => hold(Object.is(a, b));
  not = (a: unknown, b: unknown): void => hold(!Object.is(a, b));
  deepEqual = (a: unknown, b: unknown): void => hold(isDeepStrictEqual(a, b));
  notDeepEqual = (a: unknown, b: unknown): void => hold(!isDeepStrictEqual(a, b));
  true = (a: unknown): void => hold(a === true);
  false = (a: unknown): void => hold(a === false);
  truthy = (a: unknown): void => hold(Boolean(a));
  regex = (text: string, pattern: RegExp): void => hold(pattern.test(text));
  notRegex = (text: string, pattern: RegExp): void => hold(!pattern.test(text));
  like = (a: unknown, b: unknown): void => hold(isLike(a, b));
  pass = (): void => {};
  log = (): void => {};
  timeout = (): void => {};
  fail = (): void => hold(false);
  notThrows = (body: () => unknown): void => void body();
  throws = (body: () => unknown, expected?: Expected): unknown => {
    let thrown: unknown;
    try {
      body();
    } catch (error) {
      thrown = error;
    }
    return asExpected(thrown, expected);
  };
  throwsAsync = async (
    body: PromiseLike<unknown> | (() => PromiseLike<unknown>),
    expected?: Expected,
  ): Promise<unknown> => {
    let thrown: unknown;
    try {
      await (typeof body === "function" ? body() : body);
    } catch (error) {
      thrown = error;
    }
    return asExpected(thrown, expected);
  };
}

function hold(condition: boolean): void {
  if (!condition) throw new Error("an assertion does not hold");
}

function isLike(a: unknown, b: unknown): boolean {
  if (typeof b !== "object" || b === null) return Object.is(a, b);
  if (typeof a !== "object" || a === null) return false;
  return Object.entries(b).every(([key, value]) =>
    isLike((a as Record<string, unknown>)[key], value),
  );
}

function asExpected(thrown: unknown, expected: Expected = {}): unknown {
  hold(thrown !== undefined);
  const { message, code, instanceOf, is, name } = expected;
  const error = thrown as Thrown & { readonly name: string };
  if (typeof message === "string") hold(error.message === message);
  if (message instanceof RegExp) hold(message.test(error.message));
  if (code !== undefined) hold(error.code === code);
  if (instanceOf !== undefined) hold(thrown instanceof instanceOf);
  if ("is" in expected) hold(Object.is(thrown, is));
  if (name !== undefined) hold(error.name === name);
  return thrown;
}

const test = (title: string, body: Body): void => {
  cases.push({ title, body });
};

const ava: typeof test & { serial: typeof test; skip: () => void } = Object.assign(test, {
  serial: test,
  skip: () => {},
});
export default ava;

export async function passes({ body }: Case): Promise<boolean> {
  try {
    await body(new Assertions());
    return true;
  } catch {
    return false;
  }
}

/** Errors of the addon as PapoErrors in the name of the public verb that called. */
import { PapoError, type PapoErrorCode } from "../core/errors.js";

/** Runs a call of the addon; native messages begin with a native name, the caller knows `where` instead. */
export function callNative<T>(where: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw papoErrorOf(where, error);
  }
}

/** The same for a call that gives a promise. */
export async function callNativeAsync<T>(where: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw papoErrorOf(where, error);
  }
}

/** What the addon threw, as a PapoError. */
export function papoErrorOf(where: string, error: unknown): unknown {
  if (error instanceof PapoError || !(error instanceof Error)) return error;
  const { code, row } = error as { code?: PapoErrorCode; row?: number };
  const message = `[${where}] ${error.message.replace(/^\[[^\]]*\] /, "")}`;
  const options = row === undefined ? { cause: error } : { cause: error, row };
  return new PapoError(code?.startsWith("ERR_") ? code : "ERR_INTERNAL", message, options);
}

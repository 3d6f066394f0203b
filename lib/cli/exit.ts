/** How a command ends: its exit codes, and any error as one sentence with one of them. */
import { CommanderError } from "commander";
import { printable } from "../core/printable.js";
import { PapoError, type PapoErrorCode } from "../index.js";

/** Stable: scripts may branch on them. */
export const EXIT = {
  ok: 0,
  /** `papo check`: a quantity does not hold. */
  failed: 1,
  /** The command line: unknown commands, options, presets, keys and values. */
  usage: 2,
  /** A file that cannot be read or written, or a batch that cannot be evaluated. */
  input: 3,
  /** The device asked for, or the engine itself, is not there. */
  unavailable: 4,
  /** A bug in papo, or no memory. */
  internal: 70,
  /** Ctrl-C, a termination, a terminal that went away: nothing was left half-written. */
  interrupted: 130,
} as const;

/** What the person at the command line said wrongly. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** An error that belongs to one of the files of a command. */
export class FileError extends Error {
  override readonly name = "FileError";
  readonly file: string;

  constructor(file: string, cause: unknown) {
    super(file, { cause });
    this.file = file;
  }
}

/** What is shown of an error, and the exit code it means. */
export interface Failure {
  readonly code: PapoErrorCode | "ERR_USAGE" | "ERR_INTERRUPTED";
  /** One sentence. */
  readonly message: string;
  readonly exitCode: number;
  readonly file?: string;
  readonly row?: number;
}

const EXIT_OF_CODE: Partial<Record<PapoErrorCode, number>> = {
  ERR_DEVICE_UNAVAILABLE: EXIT.unavailable,
  ERR_UNSUPPORTED: EXIT.unavailable,
  ERR_CUDA: EXIT.internal,
  ERR_DISPOSED: EXIT.internal,
  ERR_BUFFER: EXIT.internal,
  ERR_OUT_OF_MEMORY: EXIT.internal,
  ERR_INTERNAL: EXIT.internal,
};

/** Runs `read`, whose PapoErrors are about the command line. */
export function fromCommandLine<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof PapoError) || EXIT_OF_CODE[error.code] !== undefined) throw error;
    throw new UsageError(sentenceOf(error.message), { cause: error });
  }
}

/** Any thrown value as a sentence and an exit code. */
export function failureOf(error: unknown, signal?: AbortSignal): Failure {
  if (signal?.aborted) {
    const message = "interrupted; nothing was written";
    return { code: "ERR_INTERRUPTED", message, exitCode: EXIT.interrupted };
  }
  if (error instanceof FileError) {
    const { message, ...rest } = failureOf(error.cause);
    // What the library calls by its option is called by its tensor in a file; result files name themselves.
    if (rest.file !== undefined) return { message, ...rest };
    const named = `${printable(error.file)}: ${inFileNames(message)}`;
    return { ...rest, message: named, file: error.file };
  }
  if (error instanceof CommanderError) {
    const message = sentenceOf(error.message.replace(/^error: /, ""));
    return { code: "ERR_USAGE", message, exitCode: EXIT.usage };
  }
  if (error instanceof UsageError) {
    return { code: "ERR_USAGE", message: printable(error.message), exitCode: EXIT.usage };
  }
  if (!(error instanceof PapoError)) {
    const message = `internal error, please report it: ${sentenceOf(String(error))}`;
    return { code: "ERR_INTERNAL", message, exitCode: EXIT.internal };
  }
  const { code, row } = error;
  const file = /^\[safetensors: ([\s\S]*?)\] expected /.exec(error.message)?.[1];
  // The loader's advice is a list, one file in each line; every other message is one sentence.
  const lines = code === "ERR_UNSUPPORTED" ? error.message.split("\n") : [error.message];
  const message = lines.map(sentenceOf).join("\n");
  return {
    code,
    message: file === undefined ? message : `${file}: ${message}`,
    exitCode: EXIT_OF_CODE[code] ?? EXIT.input,
    ...(file === undefined ? {} : { file }),
    ...(row === undefined ? {} : { row }),
  };
}

/** Without the `[where]` of the library, in one line: what somebody said, or a broken file has, may be quoted in it. */
function sentenceOf(message: string): string {
  const sentence = message.replace(/^\[(?:[\s\S]*?\](?= expected )|[^\]]*\]) /, "");
  return printable(sentence.trimEnd().replaceAll(/[\n\r\t]+/g, " "));
}

function inFileNames(message: string): string {
  const names =
    /\b(tokenIds|maskedLogits|maskedLogProbs|oldLogProbs|refLogProbs|rolloutLogProbs|responseMask|cuSeqlens)\b/g;
  return message.replaceAll(names, (name) =>
    name.replaceAll(/[A-Z]/g, (c) => `_${c}`.toLowerCase()),
  );
}

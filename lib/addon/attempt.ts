/** One file that was tried for an addon, and why it was not taken. */

/**
 * What was wrong with a file, by kind:
 *
 * - `missing`     there is none
 * - `unreadable`  it is there, but may not be read, or is a folder
 * - `damaged`     not a native library, or a part of one
 * - `platform`    built for another operating system or processor
 * - `libc`        built for the other C library of Linux (glibc, musl)
 * - `system`      needs newer system libraries than there are
 * - `library`     a library that it needs is not there
 * - `runtime`     needs a newer Node-API than this runtime has
 * - `forbidden`   this process may not load addons
 * - `stranger`    not papo's addon
 * - `version`     of another version of papo
 * - `other`       what the system said
 */
export type AddonProblem =
  | "missing"
  | "unreadable"
  | "damaged"
  | "platform"
  | "libc"
  | "system"
  | "library"
  | "runtime"
  | "forbidden"
  | "stranger"
  | "version"
  | "other";

/** Why a file is not the addon. */
export interface Objection {
  /** By kind. */
  readonly problem: AddonProblem;
  /** A clause: `needs glibc 2.38, this system has 2.36`. */
  readonly reason: string;
}

/** A file that was tried for an addon and not taken, and why. */
export interface LoadAttempt extends Objection {
  /** Of the file. */
  readonly path: string;
}

/** A file that takes its name when it is complete: whoever looks, and whenever the process dies, finds the old one or the new. */
import { randomBytes } from "node:crypto";
import { rmSync, type Stats } from "node:fs";
import {
  access,
  constants,
  type FileHandle,
  lstat,
  open,
  readlink,
  realpath,
  rename,
  stat,
  unlink,
} from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";

/** Of a name, so that the temporary one is no longer than a file system allows (255 bytes, three to such a unit). */
const MOST_OF_NAME = 70;

/**
 * Bytes go to a file beside the target, `NAME.PID-RANDOM.tmp`; `finish` gives it the target's name once it is on the
 * disk. Until then the target is as it was. Nothing is left of a file that is abandoned, nor where the process ends by an
 * error; a process that is killed leaves the temporary file, and so does a worker that is terminated.
 *
 * A link is written through. What is replaced gives its permissions, and its owner and group where that is allowed, to
 * what replaces it (where it is not, nobody gains by it); a file that may not be written is not replaced, nor is anything
 * but a plain file. Other names of the old file (hard links) keep it.
 */
export class NewFile {
  /** Where it will be, from the root on: what the path, if that is a link, leads to. */
  readonly target: string;
  readonly #temporary: string;
  #handle: FileHandle | undefined;

  private constructor(target: string, temporary: string, handle: FileHandle) {
    this.target = target;
    this.#temporary = temporary;
    this.#handle = handle;
    removeAtExit(temporary);
  }

  /** Begins a file; throws the system's error, or one of its kind, where there cannot be one. */
  static async create(path: string): Promise<NewFile> {
    const target = await targetOf(path);
    const existing = await stat(target).catch(nothingThere);
    if (existing !== undefined) {
      if (!existing.isFile()) throw new Error(`no plain file: ${path}`);
      await access(target, constants.W_OK);
    }
    const name = `${basename(target).slice(0, MOST_OF_NAME)}.${process.pid}`;
    const temporary = join(dirname(target), `${name}-${randomBytes(4).toString("hex")}.tmp`);
    const handle = await open(temporary, "wx", existing === undefined ? 0o666 : 0o600);
    const file = new NewFile(target, temporary, handle);
    if (existing !== undefined) await file.#resemble(existing);
    return file;
  }

  /** Open for writing; undefined after `finish` or `abandon`. */
  get handle(): FileHandle | undefined {
    return this.#handle;
  }

  /** Puts it onto the disk, then under its name; where that fails nothing is left of it. */
  async finish(): Promise<void> {
    try {
      await this.#handle?.sync().catch(unlessForbidden);
      await this.#close();
      await rename(this.#temporary, this.target);
      unfinished.delete(this.#temporary);
    } catch (error) {
      await this.abandon();
      throw error;
    }
    await syncFolder(dirname(this.target));
  }

  /** Leaves nothing of it; does nothing after `finish`. */
  async abandon(): Promise<void> {
    await this.#close().catch(() => undefined);
    if (!unfinished.delete(this.#temporary)) return;
    await unlink(this.#temporary).catch(() => undefined);
  }

  async #close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async #resemble({ uid, gid, mode }: Stats): Promise<void> {
    try {
      const own = await this.#handle?.stat();
      const hasGroup = own?.gid === gid || (await this.#give(-1, gid));
      // Only the superuser may give a file away.
      const hasOwner = own?.uid === uid || (await this.#give(uid, -1));
      const rights = rightsOf(mode, hasOwner, hasGroup);
      await this.#handle?.chmod(rights).catch((error) => this.#beginAgain(rights, error));
    } catch (error) {
      await this.abandon();
      throw error;
    }
  }

  /** Where Node's permissions forbid to change those of a file it is made with them, less what the umask takes. */
  async #beginAgain(rights: number, error: unknown): Promise<void> {
    unlessForbidden(error);
    await this.#close();
    await unlink(this.#temporary);
    this.#handle = await open(this.#temporary, "wx", rights);
  }

  /** Changes the owner or the group, the other being -1; whether that was allowed. */
  async #give(uid: number, gid: number): Promise<boolean> {
    try {
      await this.#handle?.chown(uid, gid);
      return true;
    } catch {
      return false;
    }
  }
}

/**
 * The permissions of a file that takes the place of one with these. Where its owner or group is another, those who were
 * owner or group are now among the others, and the other way round: they have only what both had.
 */
function rightsOf(mode: number, hasOwner: boolean, hasGroup: boolean): number {
  const owner = (mode >> 6) & 7;
  let group = (mode >> 3) & 7;
  let others = mode & 7;
  if (!hasGroup) group = others = group & others;
  if (!hasOwner) [group, others] = [group & owner, others & owner];
  return (owner << 6) | (group << 3) | others;
}

/** Writes a whole file, as `NewFile` does. */
export async function writeNewFile(path: string, bytes: Uint8Array): Promise<void> {
  const file = await NewFile.create(path);
  try {
    await file.handle?.writeFile(bytes);
    await file.finish();
  } finally {
    await file.abandon();
  }
}

/** Temporary files of this thread that nobody has finished or abandoned yet. */
const unfinished = new Set<string>();

let exitIsWatched = false;

function removeAtExit(temporary: string): void {
  unfinished.add(temporary);
  if (exitIsWatched) return;
  exitIsWatched = true;
  process.once("exit", () => {
    for (const path of unfinished) removeIfPossible(path);
  });
}

/** An error here would leave the files that come after this one, and keep other listeners from their turn. */
function removeIfPossible(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Its folder may be read-only by now; on Windows somebody may have it open.
  }
}

async function targetOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    nothingThere(error);
    const link = await lstat(path).catch(nothingThere);
    // It would be replaced, and what it stands for never written.
    if (link) throw new Error(`a link to ${await readlink(path)}, which is not there`);
    return resolve(path);
  }
}

/** Node's permissions forbid calls on open files, whatever may be written: `fchmod` from 22 on, `fsync` from 26 on. */
function unlessForbidden(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== "ERR_ACCESS_DENIED") throw error;
}

function nothingThere(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
}

/** A rename is durable once its folder is; where folders cannot be synchronised there is nothing to do. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r").catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close().catch(() => undefined);
}

/** How files are opened that somebody else may exchange for something else at any moment. */
import { constants } from "node:fs";

/** Flags for reading: a pipe that has taken a file's place would make `open` wait for its writer. */
export const READ_ONLY: number = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

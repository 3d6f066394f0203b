/** Resident memory of a process, from Linux's /proc; elsewhere there is no such number. */
import { readFileSync, writeFileSync } from "node:fs";

/** Bytes; undefined where the system does not tell. */
export function residentMemory(
  key: "VmRSS" | "VmHWM",
  pid: number | "self" = "self",
): number | undefined {
  const status = read(`/proc/${pid}/status`);
  const kilobytes = status && new RegExp(`${key}:\\s+(\\d+) kB`).exec(status)?.[1];
  return kilobytes === undefined || kilobytes === "" ? undefined : Number(kilobytes) * 1024;
}

/** Makes the peak start anew at what is resident now. */
export function resetPeak(pid: number | "self" = "self"): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, "5");
  } catch {
    // Then the peak is that of the whole process, which is never less.
  }
}

/** Bytes that new processes can have without swapping; what is free where the system tells no better. */
export function availableMemory(otherwise: number): number {
  const available = /MemAvailable:\s+(\d+) kB/.exec(read("/proc/meminfo") ?? "")?.[1];
  return available === undefined ? otherwise : Number(available) * 1024;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

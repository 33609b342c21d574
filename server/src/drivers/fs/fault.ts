import { StoreFault } from "#ports/store.ts";

/** errno of a full disk or quota: somebody must make room. */
const FULL = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);
/** errno of what passes by itself: too many open files, a file held by a virus scanner or backup. */
const BUSY = new Set(["EMFILE", "ENFILE", "EBUSY", "EAGAIN", "EINTR", "ENOMEM"]);

/** What the file system said, as a fault of the store; everything else (a bug) is given back as it is. */
export function faultOf(error: unknown, what: string): unknown {
  if (!(error instanceof Error) || !("syscall" in error) || !("code" in error)) return error;
  const code = String(error.code);
  const kind = FULL.has(code) ? "store.full" : BUSY.has(code) ? "store.busy" : "store.failed";
  return new StoreFault(kind, `cannot ${what}: ${error.message}`, { cause: error });
}

/** Units in one transaction: batches of about a hundred get nearly all of the gain; beyond a thousand latency grows. */
export const COMMIT_UNITS_MAX = 512;
/** Text in one transaction, so that a few large requests do not make a commit of seconds. */
export const COMMIT_BYTES_MAX = 16 * 1024 * 1024;
/** Commits under way at once: while the disk is waited for, one more is made ready; more than two gain nothing. */
export const COMMITS_MAX = 2;
/** On a database that nodes share, larger batches are worth more: each commit costs its server as much as ten messages. */
export const COMMITS_SHARED_MAX = 1;
/** So many go beside a commit that is under way; fewer wait for its end, because each commit has a price of its own. */
export const BESIDE_FROM_UNITS = 16;
/** A batch of so many is load, and worth a wait for more; below it a unit never waits. */
export const GATHER_FROM_UNITS = 8;
/** How long it waits: the clock's shortest turn, which is a millisecond; a fraction of what it saves. */
export const GATHER_MS = 0;
/** Units that may wait for a commit before doors are told to hold back: about a second's worth of work. */
export const BACKLOG_UNITS_MAX = 20_000;
/** Text that may wait for a commit: bounds what a flood of large requests can take of the memory. */
export const BACKLOG_BYTES_MAX = 64 * 1024 * 1024;
/** What a door tells a caller who came too fast; a commit takes milliseconds, so a second is ample. */
export const OVERLOAD_RETRY_AFTER_MS = 1_000;
/** How long bulk makes room after a transactional job: those that come now and then are met by short lines as well. */
export const BESIDE_MS = 2_000;
/** How long a claimed job is ours without a heartbeat: longer than any pause of a healthy process. */
export const LEASE_MS = 30_000;
/** How long whoever holds it believes so: less, because another node may take it by a clock that is somewhat ahead. */
export const HOLD_MS = LEASE_MS - 2_000;
/** How often leases are extended: one beat may always be lost, mostly two. */
export const HEARTBEAT_MS = 10_000;
/** How long the engine sleeps at most before it looks again by itself, in case a wake was missed. */
export const LOOK_AGAIN_MS = 5_000;
/** After news of another node, which may have brought jobs with a time: how soon it is looked for the next that is due. */
export const NEWS_DUE_MS = 100;
/** Jobs made ready per step when their time has come. */
export const WAKE_BATCH_MAX = 1_000;
/** Jobs claimed at once for all who stand in one line: some 25 receives of ten. */
export const LEND_BATCH_MAX = 256;
/** Waits between tries of a commit that the store could not do; the work is kept in hand meanwhile. */
export const COMMIT_RETRY_MS_BASE = 50;
export const COMMIT_RETRY_MS_MAX = 5_000;
/** How long a job waits, at least, when the store could not answer a question about it. */
export const STORE_REST_MS = 1_000;
/** Longest error text kept with a job: a stack's top, not a novel. */
export const ERROR_CHARS_MAX = 2_000;
/** Shares whose last turn is remembered per lane; forgotten ones begin at the present. */
export const FAIR_SHARES_MAX = 100_000;

/** What time it is by the clock that the store was opened with; handed in with each call, also across threads. */
export type Now = {
  /** Unix epoch. */
  readonly wallMs: number;
  /** For leases. */
  readonly monotonicMs: number;
};

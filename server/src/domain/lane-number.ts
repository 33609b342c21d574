import { invariant } from "#domain/invariant.ts";
import { LANES, type Lane } from "#domain/job.ts";

/** Lanes are stored as their place in `LANES`, so that an index keeps them in order of importance. */
export function laneNumber(lane: Lane): number {
  return lane === "transactional" ? 0 : 1;
}

export function laneOf(number: number): Lane {
  const lane = LANES[number];
  invariant(lane !== undefined, "a stored lane is one of ours");
  return lane;
}

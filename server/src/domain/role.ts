/** What a node does: `api` serves every door, `worker` works the queues, `all` both. */
export type Role = "api" | "worker" | "all";

export function servesDoors(role: Role): boolean {
  return role !== "worker";
}

export function worksQueues(role: Role): boolean {
  return role !== "api";
}
